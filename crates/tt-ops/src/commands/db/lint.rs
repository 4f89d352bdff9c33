//! `db-lint`: a folder of migrations, checked without a database.

use crate::{cli, exit::Exit, failure::Failure, report::Reporter};

pub(crate) fn run(args: &cli::DbLint, reporter: &Reporter) -> Result<Exit, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("could not read the migrations in {}: {error}", args.folder.display()),
        )
        .hint("give the folder with NNNN_name.up.sql and NNNN_name.down.sql files")
    };
    let files = tt_migrate::folder(&args.folder).map_err(unreadable)?;
    let migrations = tt_migrate::load(files).map_err(|unloadable| refused(&unloadable))?;
    let findings = tt_migrate::lint(&migrations);
    reporter.linted(&args.folder, migrations.iter().count(), &findings);
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Refused })
}

fn refused(unloadable: &tt_migrate::Unloadable) -> Failure {
    let mut hints: Vec<String> = Vec::new();
    for problem in &unloadable.problems {
        let hint = problem.fault.hint();
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    Failure {
        exit: Exit::Refused,
        what: unloadable.problems.iter().map(ToString::to_string).collect(),
        hints,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn our_own_service_keeps_the_rules() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../task-tracker/migrations");
        let migrations = tt_migrate::load(tt_migrate::folder(&folder).unwrap()).unwrap();
        let findings = tt_migrate::lint(&migrations);
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(migrations.iter().count() > 0);
        assert_eq!(lines, Vec::<String>::new());
    }
}
