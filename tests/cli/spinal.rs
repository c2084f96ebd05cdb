//! Running the program in a folder of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// The flags by which `SPINAL_TEST_ADAPTER` and `SPINAL_TEST_BACKEND` choose the adapter under test.
pub fn adapter_flags() -> Vec<String> {
    let variables = [
        ("--adapter", "SPINAL_TEST_ADAPTER"),
        ("--backend", "SPINAL_TEST_BACKEND"),
    ];
    let flags = variables.iter().filter_map(|(flag, variable)| {
        let value = std::env::var(variable).ok()?;
        Some([(*flag).to_owned(), value])
    });
    flags.flatten().collect()
}

/// An empty working folder for runs of the program.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The path of a file or folder in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into it, with the folders it needs.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The text of a file in it.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The files and folders in it with their contents.
    fn contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut contents = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let bytes = fs::read(&path).ok();
                contents.insert(path, bytes);
            }
        }
        contents
    }

    /// The names of what is in one of its folders, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs the program there.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Outcome {
        self.run_with(arguments, &[])
    }

    /// Runs the program there on the adapter under test.
    pub fn run_on_adapter(&self, arguments: &[&str]) -> Outcome {
        let mut arguments: Vec<_> = arguments.iter().map(|&flag| flag.to_owned()).collect();
        arguments.extend(adapter_flags());
        self.run(&arguments)
    }

    /// Runs the program there with environment variables.
    pub fn run_with<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        variables: &[(&str, &str)],
    ) -> Outcome {
        let program: &OsStr = env!("CARGO_BIN_EXE_spinal").as_ref();
        let arguments = arguments.iter().map(AsRef::as_ref);
        let command: Vec<&OsStr> = std::iter::once(program).chain(arguments).collect();
        self.run_command(&command, variables)
    }

    /// Runs any program there.
    pub fn run_program(&self, command: &[&str]) -> Outcome {
        let command: Vec<&OsStr> = command.iter().map(AsRef::as_ref).collect();
        self.run_command(&command, &[])
    }

    fn run_command(&self, command: &[&OsStr], variables: &[(&str, &str)]) -> Outcome {
        let (program, arguments) = command.split_first().unwrap();
        let before = self.contents();
        let output = Command::new(program)
            .current_dir(self.folder.path())
            .envs(variables.iter().copied())
            .args(arguments)
            .output()
            .unwrap();
        Outcome {
            arguments: arguments.iter().map(display).collect::<Vec<_>>().join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            left_nothing: self.contents() == before,
        }
    }

    /// Starts the program there on the adapter under test, its output and errors piped.
    pub fn start(&self, arguments: &[&str]) -> std::process::Child {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_spinal"));
        #[cfg(unix)]
        hear_hangups(&mut command);
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .args(adapter_flags())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Evaluates what the run in the folder `run` left of one net of the MNIST CNN pair, on `digits`.
    pub fn evaluate(&self, net: &str, flags: &[&str]) -> Outcome {
        let (weights, model) = (format!("run/{net}.safetensors"), format!("mnist-cnn-{net}"));
        let eval = [
            "eval",
            "--weights",
            &weights,
            "--model",
            &model,
            "--data",
            "digits",
        ];
        self.run_on_adapter(&[&eval[..], flags].concat())
    }

    /// The lines of a run's `metrics.jsonl`.
    pub fn metrics(&self, run: &str) -> Vec<Value> {
        let text = self.read(&format!("{run}/metrics.jsonl"));
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }
}

fn display(argument: &impl AsRef<OsStr>) -> String {
    argument.as_ref().to_string_lossy().into_owned()
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Outcome {
    #[expect(dead_code, reason = "shown where an assertion fails")]
    arguments: String,
    code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    left_nothing: bool,
}

impl Outcome {
    /// Asserts success.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Asserts the exit code and that stderr ends in one error line with `what` and one hint line.
    pub fn failed(self, code: i32, what: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!((count("error: "), count("hint: ")), (1, 1), "{self:#?}");
        let [.., error, hint] = lines[..] else {
            panic!("{self:#?}");
        };
        assert!(error.starts_with("error: "), "{self:#?}");
        assert!(error.contains(what), "no `{what}` in {self:#?}");
        assert!(hint.len() > "hint: ".len(), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Asserts that it failed so, and that the working folder is as it was.
    pub fn refused(self, code: i32, what: &str) -> Self {
        let outcome = self.failed(code, what);
        assert!(outcome.left_nothing, "{outcome:#?}");
        assert_eq!(outcome.stdout, "", "{outcome:#?}");
        outcome
    }

    /// Asserts that the parser of the command line refused it, naming `what`.
    pub fn misused(self, what: &str) {
        assert_eq!(self.code, Some(2), "{self:#?}");
        assert!(self.stderr.starts_with("error: "), "{self:#?}");
        assert!(self.stderr.contains(what), "no `{what}` in {self:#?}");
        assert!(self.left_nothing, "{self:#?}");
    }

    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Lets a program hear that its terminal was closed, though the tests may run under `nohup`, which is inherited.
#[cfg(unix)]
fn hear_hangups(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;

    // SAFETY: `signal` takes any signal and the default disposition.
    let reset = || match unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) } {
        libc::SIG_ERR => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    };
    // SAFETY: between fork and exec nothing but `signal` is called, which may be.
    unsafe { command.pre_exec(reset) };
}
