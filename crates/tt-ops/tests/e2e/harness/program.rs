//! The programs that are deployed, found where cargo built them, and packed into images.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use aws_sandbox::image;

/// What an image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The service.
    TaskTracker,
    /// The service with three migrations more.
    NextRelease,
    /// The service, but a share of its answers is 500.
    FaultyRelease,
    /// The service, but it never says that it is ready.
    NeverReady,
    /// Prints why and ends with code 3, at once.
    EndsAtOnce,
    /// The same, and its migrations fail too.
    FailsToMigrate,
}

impl Program {
    /// Pushes it as `reference`; gives the image's digest.
    pub(crate) fn push(self, reference: &str, release: &str) -> String {
        let mut environment = BTreeMap::from([("RELEASE".to_owned(), release.to_owned())]);
        if self == Self::FailsToMigrate {
            environment.insert("FAIL_MIGRATIONS".to_owned(), "1".to_owned());
        }
        let program = image::Program {
            file: self.file(),
            environment,
            ..image::Program::default()
        };
        let image = image::pack(&program).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(image::push(&image, &reference.parse().unwrap(), None))
            .unwrap()
            .to_string()
    }

    fn file(self) -> PathBuf {
        built();
        folder().join(self.path())
    }

    fn path(self) -> &'static str {
        match self {
            Self::TaskTracker => "task-tracker",
            Self::NextRelease => "examples/next_release",
            Self::FaultyRelease => "examples/faulty_release",
            Self::NeverReady => "examples/never_ready",
            Self::EndsAtOnce | Self::FailsToMigrate => "examples/ends_at_once",
        }
    }
}

/// Next to `tt-ops`: `target/debug`, or another profile's.
fn folder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tt-ops")).parent().unwrap()
}

/// `cargo test --workspace` has built them all; `cargo test -p tt-ops` has not.
fn built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let all = [
            Program::TaskTracker,
            Program::NextRelease,
            Program::FaultyRelease,
            Program::NeverReady,
            Program::EndsAtOnce,
        ];
        if all.iter().any(|program| !folder().join(program.path()).exists()) {
            build(&["-p", "task-tracker", "--bins", "--examples"]);
            build(&["-p", "tt-ops", "--example", "ends_at_once"]);
        }
    });
}

fn build(what: &[&str]) {
    let profile = match folder().file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let target = folder().parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", profile, "--target-dir"])
        .arg(target)
        .args(what)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "cargo build {what:?} failed");
}
