//! A PostgreSQL of this run's own with the service's schema, users with API tokens, and their tasks.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use tt_fixture::postgres::{self, Server};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, said::said, say};

/// Enough for three servers and pgbench; flushes are left out, since the disk is not what is measured.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "fsync=off",
    "synchronous_commit=off",
];
const TASKS_OF_A_USER: usize = 10;

/// The database, until it is dropped.
pub(super) struct Stage {
    server: Server,
    port: u16,
    programs: PathBuf,
    people: PathBuf,
}

impl Stage {
    pub(super) fn set(place: &Place, folder: &Path, users: usize, interrupt: &Interrupt) -> Result<Self, Failure> {
        say::act(
            "Stage",
            &format!("A PostgreSQL of its own with {users} users, each with an API token."),
        );
        fs::create_dir_all(folder).map_err(|cause| Failure::Write {
            path: folder.to_owned(),
            cause,
        })?;
        let port = free_port()?;
        let here = format!("port={port}");
        let mut settings = SETTINGS.to_vec();
        settings.push(&here);
        let stage = Self {
            server: Server::start(&settings),
            port,
            programs: postgres::programs().unwrap_or_default(),
            people: folder.join("people.jsonl"),
        };
        for arguments in [
            vec!["migrate".to_owned()],
            vec![
                "seed".to_owned(),
                format!("--users={users}"),
                format!("--tasks={}", users * TASKS_OF_A_USER),
            ],
        ] {
            let mut command = Command::new(place.release_program("task-tracker"));
            command.args(arguments).env("DATABASE_URL", stage.url());
            said("task-tracker", &mut command, interrupt)?;
        }
        let most = users.saturating_sub(1);
        stage.sql(&TOKENS.replace("$most", &most.to_string()), interrupt)?;
        stage.sql("vacuum analyze", interrupt)?;
        let people = stage.sql(&PEOPLE.replace("$most", &most.to_string()), interrupt)?;
        fs::write(&stage.people, people + "\n").map_err(|cause| Failure::Write {
            path: stage.people.clone(),
            cause,
        })?;
        Ok(stage)
    }

    /// By TCP, as servers reach their database.
    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Who sends requests: JSON lines.
    pub(super) fn people(&self) -> &Path {
        &self.people
    }

    /// The folder of PostgreSQL's programs.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The process of the server, from its own file.
    pub(super) fn process(&self) -> Result<u32, Failure> {
        let path = self.server.socket().with_file_name("data").join("postmaster.pid");
        let text = fs::read_to_string(&path).map_err(|cause| Failure::Read {
            path: path.clone(),
            cause,
        })?;
        let first = text.lines().next().and_then(|line| line.trim().parse().ok());
        first.ok_or_else(|| Failure::Check(format!("{} names no process", path.display())))
    }

    /// What psql prints for this, without any decoration.
    pub(super) fn sql(&self, statement: &str, interrupt: &Interrupt) -> Result<String, Failure> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
        ])
        .arg(format!("--command={statement}"))
        .arg(self.url());
        said("psql", &mut psql, interrupt)
    }
}

/// One that nobody has at this moment.
pub(super) fn free_port() -> Result<u16, Failure> {
    let taken = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let port = taken.and_then(|listener| Ok(listener.local_addr()?.port()));
    port.map_err(|cause| Failure::Start {
        program: "a server on a free port".to_owned(),
        cause,
    })
}

/// Ids are as `task-tracker seed` makes them.
const TOKENS: &str = "
insert into api_tokens (id, user_id, name, token_sha256, scopes, expires_at)
select gen_random_uuid(), md5('1/user/' || n)::uuid, 'bench', sha256(convert_to('tt_bench_' || n, 'UTF8')),
       '{tasks:read,tasks:write}', now() + interval '1 day'
from generate_series(0, $most) as n";

const PEOPLE: &str = "
select json_build_object('token', 'tt_bench_' || n, 'project', project, 'may_write', n % 5 <> 4, 'tasks', tasks)
from generate_series(0, $most) as n
join lateral (select md5('1/project/' || n / 5)::uuid as project) as of_five on true
join lateral (
    select coalesce(json_agg(id), '[]') as tasks
    from (select id from tasks where project_id = project order by id limit 20) as first
) as theirs on true";
