//! `db-lint` as CI runs it: what is refused, in which words, and with which exit code.

use std::fs;

use crate::harness::Rehearsal;

#[test]
fn migrations_are_refused_with_file_line_rule_and_help() {
    let rehearsal = Rehearsal::prepared();
    let folder = rehearsal.folder().join("migrations");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("0001_i.up.sql", "-- tt: phase=expand\ncreate index i on t (a);\n");
    let lint = || rehearsal.invocation(&format!("db-lint {}", folder.display())).run();
    lint()
        .exits(4)
        .complains("0001_i.up.sql: it has no .down.sql beside it");

    write(
        "0001_i.down.sql",
        "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i;\n",
    );
    lint()
        .exits(4)
        .prints("0001_i.up.sql:2: this reads all of t while writers wait [blocking-work]")
        .prints("[require-concurrent-index-creation]");

    write(
        "0001_i.up.sql",
        "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a);\n",
    );
    lint().exits(0).prints("1 migrations in");
}
