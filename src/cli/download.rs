//! Downloading packages of files, for data sets and for weights.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::data::Cache;
use crate::data::catalog::Package;
use crate::data::fetch::{self, FetchOptions, Progress};
use crate::error::Result;

/// How long to wait before a download that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Flags that say where files come from and go to.
#[derive(Args, Debug)]
pub struct DownloadFlags {
    /// Where fetched files go ($SPINAL_CACHE, or spinalnet in the user's cache folder)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Download URL/NAME/FILE (of weights URL/weights/NAME/FILE) instead of what the publishers offer
    #[arg(long, value_name = "URL", env = "SPINAL_MIRROR")]
    mirror: Option<String>,
    /// Only check that it is here
    #[arg(long)]
    offline: bool,
}

impl DownloadFlags {
    /// Downloads a package, unless it is there, under a bar that shows how far it is. Returns its folder.
    pub fn fetch(&self, package: &Package) -> Result<PathBuf> {
        let options = FetchOptions {
            cache: Cache::choose(self.cache.as_deref())?,
            mirror: self.mirror.clone(),
            offline: self.offline,
            retry_pause: RETRY_PAUSE,
        };
        let bar = bar();
        let folder = fetch::fetch(package, &options, &mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        folder
    }
}

/// A bar on stderr, absent if that is not a terminal.
fn bar() -> ProgressBar {
    let style = "{prefix}  [{bar:30}]  {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is well formed");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style.progress_chars("=> "))
}

fn show(bar: &ProgressBar, progress: Progress) {
    if bar.prefix() != progress.file {
        bar.set_prefix(progress.file.to_owned());
        bar.reset();
    }
    match progress.total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.set_position(progress.done);
}
