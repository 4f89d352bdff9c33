//! What people and programs read, held word for word; what differs from run to run is taken out.

use std::fs;

use expect_test::expect_file;

use crate::harness::{Program, Rehearsal};

/// Every command that a person can ask for help with.
const COMMANDS: [&str; 30] = [
    "",
    "deploy",
    "rollback",
    "status",
    "history",
    "verify",
    "diff",
    "db-lint",
    "db-status",
    "db-migrate",
    "db-rollback",
    "backup",
    "backup local create",
    "backup local list",
    "backup local verify",
    "backup local prune",
    "backup local report",
    "backup local export",
    "backup local exports",
    "backup local prune-exports",
    "restore",
    "env",
    "env check",
    "env schema",
    "sandbox",
    "sandbox up",
    "sandbox status",
    "sandbox load",
    "sandbox down",
    "completions",
];

#[test]
fn every_help_fits_eighty_columns() {
    let rehearsal = Rehearsal::prepared();
    let mut all: Vec<String> = Vec::new();
    for command in COMMANDS {
        let help = rehearsal
            .invocation(&format!("{command} --help"))
            .variable("COLUMNS", "80")
            .without("TT_OPS_ENV_DIR");
        let ended = help.run().exits(0);
        let wide: Vec<&str> = ended.stdout.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "tt-ops {command} --help: {wide:#?}");
        // What is the same for all of them is read once.
        let own = ended.stdout.split("\nEverywhere:").next().unwrap();
        let text = if command.is_empty() { &ended.stdout } else { own };
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        all.push(format!(
            "$ tt-ops {command} --help\n{}\n\n",
            lines.join("\n").trim_end()
        ));
    }
    expect_file!["../golden/help.txt"].assert_eq(&all.concat());
}

#[test]
fn reports_read_as_they_were_written() {
    let rehearsal = Rehearsal::up();
    rehearsal.push(Program::TaskTracker, "1.0.0");
    let digest = rehearsal.push(Program::TaskTracker, "1.1.0");
    let read = |words: &str| {
        let ended = rehearsal.tt(words);
        let text = format!("$ tt-ops {words}\n{}{}\n", ended.stdout, ended.stderr);
        redacted(&text, &rehearsal, &digest)
    };

    let deployed = rehearsal
        .invocation("deploy local --image 1.0.0")
        .variable("GITLAB_CI", "true")
        .run()
        .exits(0);
    sections_are_balanced(&deployed.stdout);

    expect_file!["../golden/plan.txt"].assert_eq(&read("deploy local --image 1.1.0 --plan"));
    expect_file!["../golden/diff.txt"].assert_eq(&read("diff local --image 1.1.0"));
    expect_file!["../golden/verify.txt"].assert_eq(&read("verify local --image 1.1.0"));
    expect_file!["../golden/status.txt"].assert_eq(&read("status local"));
    expect_file!["../golden/history.txt"].assert_eq(&read("history local"));

    // A program gets the same plan as data, and the plan of an unchanged world is the same plan.
    let plan = || {
        rehearsal
            .tt("deploy local --image 1.1.0 --plan --output json")
            .exits(0)
            .json()
    };
    let (one, two) = (plan(), plan());
    assert_eq!((one.len(), &one[0]["event"]), (1, &"plan".into()));
    assert_eq!(
        (&one[0]["steps"], &one[0]["fingerprint"]),
        (&two[0]["steps"], &two[0]["fingerprint"])
    );
    rehearsal
        .tt("deploy local --image 1.1.0 --plan --quiet")
        .exits(0)
        .never_prints("register");
    assert_eq!(rehearsal.history().len(), 1, "plans leave no record");
}

#[test]
fn a_person_at_a_terminal_is_asked_and_sees_it_move() {
    let rehearsal = Rehearsal::up();
    rehearsal.push(Program::TaskTracker, "1.0.0");

    rehearsal.forget_calls();
    let declined = rehearsal.at_a_terminal("deploy local --image 1.0.0", "n\n").exits(4);
    declined.prints("Deploy 1.0.0 to local? [y/N]");
    assert_eq!(rehearsal.calls().get("ecs:RegisterTaskDefinition"), None);

    let deployed = rehearsal.at_a_terminal("deploy local --image 1.0.0", "y\n").exits(0);
    deployed
        .prints("\u{1b}[")
        .prints("1.0.0")
        .prints("serves all users of local");
    assert_eq!(rehearsal.answering(), "1.0.0");
    let plain = rehearsal.at_a_terminal("status local --no-color", "").exits(0);
    plain.prints("in flight: nothing").never_prints("\u{1b}[1m");
}

/// GitLab folds from each start to the end of the same name; sections do not overlap, and there is no other escape code.
fn sections_are_balanced(output: &str) {
    let mut open: Option<&str> = None;
    let mut folded = 0;
    for line in output.lines() {
        let Some(mark) = line.strip_prefix("\u{1b}[0Ksection_") else {
            assert!(!line.contains('\u{1b}'), "{line:?}");
            continue;
        };
        let (mark, title) = mark
            .split_once("\r\u{1b}[0K")
            .expect("a mark ends in a carriage return and an erased line");
        let mut parts = mark.split(':');
        let (kind, at, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        assert!(at.parse::<u64>().is_ok(), "{line:?}");
        match (kind, open) {
            ("start", None) => {
                assert!(!title.is_empty(), "{line:?}");
                open = Some(name);
            }
            ("end", Some(begun)) => {
                assert_eq!(begun, name);
                open = None;
                folded += 1;
            }
            (kind, open) => panic!("a section {kind} while {open:?} is open"),
        }
    }
    assert_eq!(open, None);
    assert!(folded >= 5, "one section a step: {output}");
}

/// Without what differs from run to run: address, digest, folder, machine, ids, times.
fn redacted(text: &str, rehearsal: &Rehearsal, digest: &str) -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let text = text
        .replace(&digest.trim_start_matches("sha256:")[..12], "DIGEST")
        .replace(&rehearsal.folder().display().to_string(), "FOLDER")
        .replace(&format!("127.{}.", rehearsal.ip().octets()[1]), "127.N.")
        .replace(&format!("@{}", host.trim()), "@HOST");
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split(' ').map(steady).collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n") + "\n"
}

/// A word, or what kind of changing thing it is.
fn steady(word: &str) -> String {
    if let Some((before, _)) = word.split_once("@sha256:") {
        return format!("{before}@sha256:DIGEST");
    }
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let parts = |separator: char, lengths: [usize; 3]| {
        let parts: Vec<&str> = word.split(separator).collect();
        parts.len() == 3
            && parts
                .iter()
                .zip(lengths)
                .all(|(part, length)| part.len() == length && digits(part))
    };
    let kind = if parts('-', [4, 2, 2]) {
        "YYYY-MM-DD"
    } else if parts(':', [2, 2, 2]) {
        "HH:MM:SS"
    } else if word
        .strip_suffix(')')
        .is_some_and(|word| !word.is_empty() && digits(word))
    {
        "N)"
    } else if word
        .split_once('.')
        .is_some_and(|(whole, tenth)| digits(whole) && tenth.len() == 1 && digits(tenth))
    {
        "N.N"
    } else {
        word
    };
    kind.to_owned()
}
