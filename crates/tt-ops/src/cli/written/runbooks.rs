//! The commands of `runbooks/`.

use std::{fs, path::Path};

use clap::CommandFactory;

use super::{Cli, is_taken};

/// `tt-ops …` as a line of a `sh` block, comments and continuations understood, or in backticks within a sentence.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_in_block = false;
    let mut is_shell = false;
    let mut begun: Option<String> = None;
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_in_block = !is_in_block;
            is_shell = is_in_block && language == "sh";
            continue;
        }
        if is_in_block && !is_shell {
            continue;
        }
        if !is_in_block {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.filter(|span| span.starts_with("tt-ops ")).map(str::to_owned));
            continue;
        }
        let line = line.split(" # ").next().unwrap_or(line).trim();
        let line = begun.take().map_or_else(|| line.to_owned(), |before| before + line);
        match line.strip_suffix('\\') {
            Some(unfinished) => begun = Some(unfinished.to_owned()),
            None if line.starts_with("tt-ops ") => found.push(line),
            None => {}
        }
    }
    found
}

/// What a page leaves to its reader, where not just any word will do.
const PLACEHOLDERS: [(&str, &str); 2] = [("TIME", "2026-03-01T02:55:00Z"), ("VERSION", "6")];

fn refused(command: &str) -> Option<String> {
    let filled = |word| {
        PLACEHOLDERS
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(word, |(_, value)| *value)
    };
    let words: Vec<&str> = command.split_whitespace().map(filled).collect();
    // A sentence may speak of a command without an environment.
    if let [_, name] = words[..] {
        let known = Cli::command().find_subcommand(name).is_some();
        return (!known).then(|| format!("there is no `{command}`"));
    }
    let why = is_taken(words).err()?;
    Some(format!("`{command}`: {why}"))
}

#[test]
fn every_command_of_the_runbooks_is_one_that_the_command_line_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks");
    let mut commands_seen = 0;
    let mut complaints = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for command in commands(&fs::read_to_string(&path).unwrap()) {
            commands_seen += 1;
            complaints.extend(refused(&command).map(|why| format!("runbooks/{name}: {why}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(commands_seen > 30, "only {commands_seen} commands were found");
}

#[test]
fn commands_are_found_in_blocks_and_in_sentences() {
    let page = "\
Ask `tt-ops status production`, not `status`.

```sh
tt-ops deploy production \\
  --image DIGEST          # the one before
aws ecs list-tasks
```

```
tt-ops is only printed here
```
";
    assert_eq!(
        commands(page),
        ["tt-ops status production", "tt-ops deploy production --image DIGEST"]
    );
}

#[test]
fn what_the_command_line_does_not_know_is_refused() {
    for command in [
        "tt-ops promote",
        "tt-ops promote production",
        "tt-ops rollback production --force",
        "tt-ops deploy production",
        "tt-ops backup production restore",
    ] {
        assert!(refused(command).is_some(), "{command}");
    }
    for command in [
        "tt-ops deploy",
        "tt-ops rollback production --to RELEASE",
        "tt-ops restore production --to TIME --as NAME --plan",
    ] {
        assert_eq!(refused(command), None);
    }
}
