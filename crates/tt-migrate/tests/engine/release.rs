//! A release with a few migrations, and a run of it whose events are kept.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tt_migrate::{Down, Event, Failure, File, Job, Limits, Migrations, PgConnectOptions, Phase, Resume, Up, Version};

use crate::cluster::Database;

/// Migrations from `(name, up, down)`; the header is `phase=expand` where the text begins without one.
pub(crate) fn release(scripts: &[(&str, &str, &str)]) -> Migrations {
    let with_header = |text: &str| {
        let header = if text.contains("-- tt:") {
            ""
        } else {
            "-- tt: phase=expand\n"
        };
        format!("{header}{text}")
    };
    let files = scripts.iter().flat_map(|(name, up, down)| {
        [
            File::new(format!("{name}.up.sql"), with_header(up)),
            File::new(format!("{name}.down.sql"), with_header(down)),
        ]
    });
    tt_migrate::load(files).unwrap()
}

/// Short where waiting proves nothing, long where only a hang would reach it.
pub(crate) fn limits() -> Limits {
    Limits {
        turn: Duration::from_secs(30),
        patience: Duration::from_secs(30),
        ..Limits::default()
    }
}

/// What happened in a run, and how it ended.
pub(crate) struct Told {
    pub(crate) events: Vec<Event>,
    pub(crate) outcome: Result<(), Failure>,
}

/// Events as they come in, for whoever waits for one.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    pub(crate) fn any(&self, fits: impl Fn(&Event) -> bool) -> bool {
        self.0.lock().unwrap().iter().any(fits)
    }

    fn write(&self) -> impl FnMut(Event) + Send + use<> {
        let log = self.clone();
        move |event| log.0.lock().unwrap().push(event)
    }

    fn taken(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl Told {
    pub(crate) fn any(&self, fits: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(fits)
    }

    pub(crate) fn finished(&self) -> Vec<i64> {
        let finished = self.events.iter().filter_map(|event| {
            let Event::Finished { version, .. } = event else {
                return None;
            };
            Some(version.number())
        });
        finished.collect()
    }

    /// It must have ended well.
    pub(crate) fn well(self) -> Self {
        if let Err(failure) = &self.outcome {
            panic!("{:?}\n{:#?}", failure.event(), self.events);
        }
        self
    }

    /// It must have failed, with this exit code.
    pub(crate) fn code(&self) -> u8 {
        self.outcome.as_ref().unwrap_err().exit().code()
    }

    pub(crate) fn hint(&self) -> String {
        self.outcome.as_ref().unwrap_err().hint()
    }

    pub(crate) fn error(&self) -> String {
        let Event::Failed { error, .. } = self.outcome.as_ref().unwrap_err().event() else {
            panic!("a failure gives another event")
        };
        error
    }
}

pub(crate) async fn up(database: &Database, migrations: &Migrations) -> Told {
    up_with(database, migrations, &limits(), &Phase::ALL, Resume::No).await
}

pub(crate) async fn up_with(
    database: &Database,
    migrations: &Migrations,
    limits: &Limits,
    phases: &[Phase],
    resume: Resume,
) -> Told {
    up_by(&database.target(), migrations, limits, phases, resume, &Log::default()).await
}

pub(crate) async fn up_by(
    target: &PgConnectOptions,
    migrations: &Migrations,
    limits: &Limits,
    phases: &[Phase],
    resume: Resume,
    log: &Log,
) -> Told {
    let job = Job {
        target,
        migrations,
        limits,
    };
    let request = Up {
        phases: phases.to_vec(),
        resume,
    };
    let outcome = tt_migrate::up(job, &request, &mut log.write()).await;
    Told {
        events: log.taken(),
        outcome,
    }
}

pub(crate) async fn down(database: &Database, migrations: &Migrations, to: i64, accept: &[&str]) -> Told {
    down_with(database, migrations, to, accept, Resume::No).await
}

pub(crate) async fn down_with(
    database: &Database,
    migrations: &Migrations,
    to: i64,
    accept: &[&str],
    resume: Resume,
) -> Told {
    let log = Log::default();
    let (target, limits) = (database.target(), limits());
    let job = Job {
        target: &target,
        migrations,
        limits: &limits,
    };
    let request = Down {
        to: Version::new(to),
        accept: accept.iter().map(|text| text.parse().unwrap()).collect(),
        resume,
    };
    let outcome = tt_migrate::down(job, &request, &mut log.write()).await;
    Told {
        events: log.taken(),
        outcome,
    }
}

/// Asks again until the answer is yes.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut question: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while !question().await {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
