//! The program that the sandbox's own tests deploy: it answers with its release, and misbehaves when its image says so.
//!
//! `HOST`, `PORT` and `RELEASE` come from the environment. `BEHAVIOUR` is `good` (the default), `crash` (ends soon after
//! its start), `sick` (never passes its health check) or `errors` (answers every second request with 500). With arguments it is a
//! one-off task: `print TEXT… ` prints each variable or text, `exit CODE` ends with a code.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

static DRAINING: AtomicBool = AtomicBool::new(false);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve().await,
        ["exit", code] => ExitCode::from(code.parse().unwrap_or(1)),
        ["print", ref names @ ..] => {
            for name in names {
                say(&std::env::var(name).unwrap_or_else(|_| (*name).to_owned()));
            }
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(64),
    }
}

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        DRAINING.store(true, Ordering::Relaxed);
    }
}

async fn serve() -> ExitCode {
    let behaviour = variable("BEHAVIOUR", "good");
    let (Ok(ip), Ok(port)) = (
        variable("HOST", "127.0.0.1").parse::<IpAddr>(),
        variable("PORT", "3000").parse::<u16>(),
    ) else {
        return ExitCode::from(64);
    };
    if behaviour == "crash" {
        say("cannot go on");
        tokio::time::sleep(Duration::from_millis(100)).await;
        return ExitCode::from(3);
    }
    // Before it listens: whoever can reach it can also stop it properly.
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return ExitCode::FAILURE;
    };
    let Ok(listener) = TcpListener::bind(SocketAddr::new(ip, port)).await else {
        return ExitCode::from(98);
    };
    say(&format!(
        "release {} listens on {ip}:{port}",
        variable("RELEASE", "none")
    ));
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                if stream.set_nodelay(true).is_err() {
                    continue;
                }
                let behaviour = behaviour.clone();
                let service = service_fn(move |request| answer(request, behaviour.clone()));
                let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connections.watch(connection));
            }
            _ = terminated.recv() => break,
        }
    }
    DRAINING.store(true, Ordering::Relaxed);
    connections.shutdown().await;
    say("bye");
    ExitCode::SUCCESS
}

async fn answer(request: Request<Incoming>, behaviour: String) -> Result<Response<Full<Bytes>>, Infallible> {
    let draining = DRAINING.load(Ordering::Relaxed);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let status = match (request.uri().path(), behaviour.as_str()) {
        ("/readyz", "sick") => StatusCode::INTERNAL_SERVER_ERROR,
        ("/readyz", _) if draining => StatusCode::SERVICE_UNAVAILABLE,
        ("/slow", _) => {
            tokio::time::sleep(Duration::from_millis(500)).await;
            StatusCode::OK
        }
        ("/readyz", _) => StatusCode::OK,
        (_, "errors") if number.is_multiple_of(2) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    };
    let mut response = Response::new(Full::new(Bytes::from(variable("RELEASE", "none"))));
    *response.status_mut() = status;
    Ok(response)
}
