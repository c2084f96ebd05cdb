//! `spinal data fetch`: download a data set.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::{note, print};
use crate::data::fetch::{self, FetchOptions, Progress};
use crate::data::{Cache, catalog, elsewhere};
use crate::error::{Error, Result};

/// How long to wait before a download that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Flags of `spinal data fetch`.
#[derive(Args, Debug)]
pub struct Fetch {
    /// The data set
    name: String,
    /// Where fetched data sets go ($SPINAL_CACHE, or spinalnet in the user's cache folder)
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Download URL/SET/FILE instead of what the publishers offer
    #[arg(long, value_name = "URL", env = "SPINAL_MIRROR")]
    mirror: Option<String>,
    /// Only check that it is here
    #[arg(long)]
    offline: bool,
}

impl Fetch {
    /// Downloads the data set, unless it is there, and prints its folder.
    pub fn run(&self) -> Result<()> {
        if self.name == "mnist" {
            note("mnist is part of the program, there is nothing to fetch");
            return Ok(());
        }
        if let Some(elsewhere) = elsewhere::find(&self.name) {
            return Err(Error::usage(
                format!("{} is not fetched from here", self.name),
                elsewhere.hint(),
            ));
        }
        let entry = catalog::find(&self.name).ok_or_else(|| {
            Error::usage(
                format!("there is no data set to fetch named '{}'", self.name),
                format!("give one of {}", catalog::names().join(", ")),
            )
        })?;
        let options = FetchOptions {
            cache: Cache::choose(self.cache.as_deref())?,
            mirror: self.mirror.clone(),
            offline: self.offline,
            retry_pause: RETRY_PAUSE,
        };
        let bar = bar();
        let folder = fetch::fetch(entry.package, &options, &mut |progress| {
            show(&bar, progress)
        });
        bar.finish_and_clear();
        print(folder?.display())
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
