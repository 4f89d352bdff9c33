//! A rehearsal: a folder of environments, an address of its own, and the sandbox that runs there.
//!
//! Owns everything a test starts, and sees to it that nothing of it stays behind. It never judges: that is the tests' part.

mod address;
mod environment;
mod invocation;
mod keeper;
mod load;
mod patience;
mod program;
mod wire;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use self::{address::Address, environment::Template, invocation::Invocation, keeper::Keeper};
pub(crate) use self::{
    environment::repository,
    invocation::{Ended, Running},
    keeper::processes_of,
    load::{Load, nothing_lost},
    patience::{eventually, say},
    program::Program,
    wire::{element, elements},
};

/// The environment that every rehearsal has.
pub(crate) const LOCAL: &str = "local";

/// Where one test plays.
pub(crate) struct Rehearsal {
    template: Template,
    folder: PathBuf,
    /// Ends the sandbox and removes the folder before the address is given back.
    keeper: Option<Keeper>,
    address: Address,
}

impl Rehearsal {
    /// A folder and an address; nothing runs yet.
    pub(crate) fn prepared() -> Self {
        let address = Address::claim();
        // Tasks run as an unprivileged user, who has to reach their programs in it.
        let open = fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new()
            .prefix("tt-ops-")
            .permissions(open)
            .tempdir()
            .unwrap()
            .keep();
        let keeper = Some(Keeper::of(&folder));
        fs::create_dir(folder.join("environments")).unwrap();
        let rehearsal = Self {
            template: Template::at(address.ip(), &folder.join("state")),
            folder,
            keeper,
            address,
        };
        rehearsal.environment(LOCAL, &[]);
        rehearsal
    }

    /// The same with a sandbox that is up.
    pub(crate) fn up() -> Self {
        let rehearsal = Self::prepared();
        rehearsal.tt("sandbox up").exits(0);
        rehearsal
    }

    /// The same with a release that serves.
    pub(crate) fn serving(release: &str) -> Self {
        let rehearsal = Self::up();
        rehearsal.push(Program::TaskTracker, release);
        rehearsal.tt(&format!("deploy local --image {release}")).exits(0);
        rehearsal
    }

    /// Writes another environment of the same service: the usual one with some of its text replaced.
    pub(crate) fn environment(&self, name: &str, changes: &[(&str, &str)]) {
        fs::write(self.file(name), self.template.with(changes)).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("environments").join(format!("{name}.yaml"))
    }

    /// Runs `tt-ops` with these words to its end.
    #[track_caller]
    pub(crate) fn tt(&self, words: &str) -> Ended {
        self.invocation(words).run()
    }

    /// Runs `tt-ops` with these words in the background.
    pub(crate) fn start(&self, words: &str) -> Running {
        self.invocation(words).start()
    }

    /// The same, still to be given variables.
    pub(crate) fn invocation(&self, words: &str) -> Invocation {
        Invocation::new(&self.folder, words)
    }

    /// Runs `tt-ops` with these words for a person at a terminal, who types this.
    #[track_caller]
    pub(crate) fn at_a_terminal(&self, words: &str, typed: &str) -> Ended {
        Invocation::on_a_terminal(&self.folder, words, typed).run()
    }

    /// Puts a program into the sandbox's registry as an image of this release; gives its digest.
    pub(crate) fn push(&self, program: Program, release: &str) -> String {
        program.push(&format!("{}:{release}", repository(self.address.ip())), release)
    }

    /// Users who come and go until the guard is finished.
    pub(crate) fn load(&self) -> Load {
        Load::start(self)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub(crate) fn ip(&self) -> std::net::Ipv4Addr {
        self.address.ip()
    }

    /// A call as any AWS client would make it, in the Query protocol; gives the answer's XML.
    #[track_caller]
    pub(crate) fn aws(&self, service: &str, form: &str) -> String {
        wire::query(self.address.ip(), service, form)
    }

    /// A call of ECS as any AWS client would make it.
    #[track_caller]
    pub(crate) fn ecs(&self, operation: &str, input: &Value) -> Value {
        wire::ecs(self.address.ip(), operation, input)
    }

    /// Makes calls go wrong; see the sandbox's `/_sandbox/faults`.
    #[track_caller]
    pub(crate) fn fault(&self, fault: &Value) {
        wire::admin(
            self.address.ip(),
            "POST",
            "faults",
            &Value::Array(vec![fault.clone()]).to_string(),
        );
    }

    /// How many manual snapshots AWS allows from now on.
    #[track_caller]
    pub(crate) fn quota(&self, snapshots: u32) {
        let body = format!("{{\"manualSnapshots\": {snapshots}}}");
        wire::admin(self.address.ip(), "PUT", "quotas", &body);
    }

    #[track_caller]
    pub(crate) fn no_faults(&self) {
        wire::admin(self.address.ip(), "DELETE", "faults", "");
    }

    /// How often each operation was called since [`Self::forget_calls`].
    #[track_caller]
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(wire::admin(self.address.ip(), "GET", "calls", "")).unwrap()
    }

    #[track_caller]
    pub(crate) fn forget_calls(&self) {
        wire::admin(self.address.ip(), "DELETE", "calls", "");
    }

    /// What `status` says, as data.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let mut lines = self.tt("status local --output json").exits(0).json();
        assert_eq!(lines.len(), 1, "one status is one line: {lines:?}");
        lines.remove(0)
    }

    /// The records that `history` shows, newest first.
    #[track_caller]
    pub(crate) fn history(&self) -> Vec<Value> {
        let lines = self.tt("history local --output json").exits(0).json();
        lines.iter().map(|line| line["record"].clone()).collect()
    }

    /// The release that answers users right now.
    pub(crate) fn answering(&self) -> String {
        wire::release(self.address.ip())
    }

    /// Ends the sandbox as every test does, and gives what was still running of it afterwards.
    pub(crate) fn down(mut self) -> Vec<String> {
        self.keeper.take().map_or_else(Vec::new, Keeper::finish)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            let log = fs::read_to_string(self.state().join("sandbox.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            say(&format!(
                "the sandbox said last:\n{}",
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            ));
        }
        let left = self.keeper.take().map_or_else(Vec::new, Keeper::finish);
        assert!(
            failed || left.is_empty(),
            "still running after `sandbox down --wipe`: {left:?}"
        );
    }
}
