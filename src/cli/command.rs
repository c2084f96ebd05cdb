//! Commands as one types them.

use std::path::Path;

/// The command of this process.
pub fn line() -> String {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    quoted(arguments)
}

/// The program's name and its arguments, quoted for a shell where they need it.
pub fn quoted(arguments: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = arguments.collect();
    if let Some(program) = words.first_mut()
        && let Some(name) = Path::new(program).file_stem()
    {
        *program = name.to_string_lossy().into_owned();
    }
    let words = words.iter().map(|word| {
        // A word with a NUL cannot come from a command line.
        shlex::try_quote(word).unwrap_or(word.into())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        let words = [
            "/usr/bin/spinal",
            "reproduce",
            "--data",
            "my digits",
            "--lr=0.1",
        ];
        assert_eq!(
            quoted(words.map(str::to_owned).into_iter()),
            "spinal reproduce --data 'my digits' '--lr=0.1'"
        );
    }
}
