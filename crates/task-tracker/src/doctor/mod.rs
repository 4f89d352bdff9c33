//! `task-tracker doctor`: whether `serve` would have what it needs, looked at from where it would run.
//!
//! Reads the same flags and variables as `serve`, opens one connection, changes nothing. A line for each finding, and what to do
//! where something is wrong. Never shows a secret.

mod database;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::net::TcpStream;

use crate::config::{DatabaseUrl, Settings};

/// The longest that Amazon ECS waits between asking a container to end and ending it (Amazon ECS API Reference,
/// `ContainerDefinition`, `stopTimeout`), and how long when nothing is said.
const LONGEST_STOP: Duration = Duration::from_mins(2);
const USUAL_STOP: Duration = Duration::from_secs(30);
/// Elastic Load Balancing, Application Load Balancers: connection idle timeout.
const BALANCERS_IDLE: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(3);

/// What `serve` would be told, and how to report.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing is in the way of serving, warnings included; 1 something is; 2 wrong usage."
)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,

    /// Tasks that serve at once at most, both sides of a blue-green deployment counted
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    tasks: u32,

    /// How to report: a line for people, or one JSON object a line
    #[arg(long, default_value = "human")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Lines
    Human,
    /// Objects with `v`, `check`, `verdict`, `detail` and, where something is to be done, `next`
    Json,
}

/// What was looked at, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// It serves, and something about it will hurt.
    Warning,
    /// It would not serve, or not well.
    Failed,
    /// It is not configured, or what it needs has failed.
    Skipped,
}

/// Looks at everything, and says each thing as soon as it is known.
pub(crate) async fn run(options: &Options) -> ExitCode {
    let mut is_well = true;
    let mut say = |finding: Finding| {
        is_well &= finding.verdict != Verdict::Failed;
        tell(options.output, &finding);
    };
    say(settings(&options.settings));
    match DatabaseUrl::from_environment() {
        Ok(url) => {
            say(secret(&url));
            database::look(&url, &options.settings, options.tasks, &mut say).await;
        }
        Err(cause) => say(Finding::failed(
            "secrets",
            cause.to_string(),
            "set it from the secret, in the environment or in a file",
        )),
    }
    say(traces(|name| env::var(name).ok()).await);
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    fn skipped(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::ok(check, detail)
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self {
            verdict: Verdict::Warning,
            next: Some(next),
            ..Self::ok(check, detail)
        }
    }

    fn failed(check: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self {
            verdict: Verdict::Failed,
            ..Self::warning(check, detail, next)
        }
    }
}

/// What could be read and still cannot go well together.
fn settings(settings: &Settings) -> Finding {
    const CHECK: &str = "settings";
    let stop = settings.drain + settings.finish;
    let seconds = stop.as_secs_f64();
    if stop >= LONGEST_STOP {
        let detail =
            format!("drain and finish take {seconds} s together, and a task is killed after 120 s at the latest");
        return Finding::failed(CHECK, detail, "lower DRAIN_SECONDS or FINISH_SECONDS");
    }
    if stop >= USUAL_STOP {
        let detail = format!(
            "drain and finish take {seconds} s together, and a task is killed after 30 s unless its definition says otherwise"
        );
        return Finding::warning(CHECK, detail, "lower them, or set stopTimeout above it");
    }
    if settings.idle <= BALANCERS_IDLE {
        let detail = format!(
            "idle connections are closed after {} s, before the load balancer does",
            settings.idle.as_secs_f64()
        );
        return Finding::warning(CHECK, detail, "set IDLE_SECONDS above 60");
    }
    if settings.request > settings.finish {
        let detail = "a request may take longer than the end of the service waits for it";
        return Finding::warning(CHECK, detail, "set FINISH_SECONDS above REQUEST_SECONDS");
    }
    let (release, host) = (settings.release.as_str(), settings.host);
    let detail = format!(
        "release {release} on {host}, port {}, metrics on {}",
        settings.port, settings.metrics_port
    );
    Finding::ok(CHECK, detail)
}

/// That it is there and a URL is known by now; only who logs in is shown.
fn secret(url: &DatabaseUrl) -> Finding {
    let place = if url.is_followed() {
        "read from a file, and followed"
    } else {
        "read from the environment: a new password needs a new start"
    };
    Finding::ok("secrets", format!("the database URL is {place}"))
}

/// Whether somebody listens where traces go.
async fn traces(variable: impl Fn(&str) -> Option<String>) -> Finding {
    const CHECK: &str = "traces";
    let named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Some(endpoint) = named
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
    else {
        return Finding::skipped(CHECK, "no OTEL_EXPORTER_OTLP_ENDPOINT: none are sent");
    };
    let address = reqwest::Url::parse(&endpoint).ok().and_then(|url| {
        let port = url.port_or_known_default()?;
        Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), port))
    });
    let Some((host, port)) = address else {
        return Finding::failed(
            CHECK,
            "the endpoint is no URL",
            "give one such as http://collector:4318",
        );
    };
    let there = format!("{host}:{port}");
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Finding::ok(CHECK, format!("somebody listens at {there}")),
        Ok(Err(_)) | Err(_) => Finding::warning(
            CHECK,
            format!("nobody answers at {there}"),
            "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT; the service itself does not need it",
        ),
    }
}

#[derive(Serialize)]
struct Line<'f> {
    v: u32,
    #[serde(flatten)]
    finding: &'f Finding,
}

fn tell(output: Output, finding: &Finding) {
    let mut out = io::stdout().lock();
    // Nobody is left to tell when the output is gone; the exit code still says it.
    drop(match output {
        Output::Human => {
            let word = match finding.verdict {
                Verdict::Ok => "ok",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED",
                Verdict::Skipped => "-",
            };
            let next = finding.next.map_or_else(String::new, |next| format!("; {next}"));
            writeln!(out, "{word:8}{:13}{}{next}", finding.check, finding.detail)
        }
        Output::Json => match serde_json::to_string(&Line { v: 1, finding }) {
            Ok(line) => writeln!(out, "{line}"),
            Err(cause) => Err(cause.into()),
        },
    });
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn settings_that_cannot_go_well_together_are_found() {
        for (flags, verdict, word) in [
            ("", Verdict::Ok, "port 3000"),
            ("--drain-seconds 60 --finish-seconds 60", Verdict::Failed, "120 s"),
            ("--drain-seconds 15", Verdict::Warning, "30 s"),
            ("--idle-seconds 60", Verdict::Warning, "load balancer"),
            ("--finish-seconds 5", Verdict::Warning, "longer"),
        ] {
            let words = ["serve"].into_iter().chain(flags.split_whitespace());
            let found = settings(&Arguments::parse_from(words).settings);
            assert_eq!(found.verdict, verdict, "{flags}: {found:?}");
            assert!(found.detail.contains(word), "{flags}: {found:?}");
        }
    }

    #[tokio::test]
    async fn whether_somebody_collects_traces_is_found_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = async |endpoint: &str| {
            let endpoint = endpoint.to_owned();
            traces(move |name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))
                .await
                .verdict
        };
        assert_eq!(to("").await, Verdict::Skipped);
        assert_eq!(to("collector").await, Verdict::Failed);
        assert_eq!(to(&format!("http://{address}")).await, Verdict::Ok);
        drop(listener);
        assert_eq!(to(&format!("http://{address}")).await, Verdict::Warning);
    }
}
