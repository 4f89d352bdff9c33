//! `task-tracker health`: asks the service of the same container whether it lives.
//!
//! The image holds no shell and no curl, so the platform that wants a program for its health check gets this one. It reads
//! `HOST` and `PORT` as `serve` does, needs no database, and answers with its exit code.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::config::seconds;

/// What to ask, and how long to wait for the answer.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Question {
    /// Address that `serve` listens on; an unspecified one is asked by loopback
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    host: IpAddr,

    /// Port that `serve` listens on
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,

    /// What to ask for: `/livez` is about this process, `/readyz` about its database as well
    #[arg(long, default_value = "/livez", value_parser = path)]
    path: String,

    /// How long all of it may take
    #[arg(long = "timeout-seconds", value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    timeout: Duration,
}

/// The service did not say that all is well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unhealthy {
    #[error("nobody answers at http://{address}{path}")]
    Silent {
        address: SocketAddr,
        path: String,
        #[source]
        cause: io::Error,
    },
    #[error("http://{address}{path} answered {status}")]
    Refused {
        address: SocketAddr,
        path: String,
        status: String,
    },
}

/// Fails unless the answer is 200.
pub(crate) fn ask(question: &Question) -> Result<(), Unhealthy> {
    let address = SocketAddr::new(reachable(question.host), question.port);
    let path = question.path.clone();
    match status(address, &path, Instant::now() + question.timeout) {
        Ok(status) if status == "200" => Ok(()),
        Ok(status) => Err(Unhealthy::Refused { address, path, status }),
        Err(cause) => Err(Unhealthy::Silent { address, path, cause }),
    }
}

/// Nobody can be reached at "every address"; whoever listens there also listens on loopback.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => host,
    }
}

fn status(address: SocketAddr, path: &str, deadline: Instant) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: task-tracker-health\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    // The status line is all that matters: `HTTP/1.1 200`.
    let mut head = [0; 12];
    let mut filled = 0;
    while filled < head.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut head[filled..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
    }
    let line = String::from_utf8_lossy(&head);
    line.strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .map(str::to_owned)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP/1.1"))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

fn path(text: &str) -> Result<String, &'static str> {
    let fits = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
        .ok_or("a path begins with / and has no spaces, such as /livez")
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Long enough for any answer on a busy machine.
    const PATIENT: Duration = Duration::from_secs(30);

    /// Asks somebody who reads the whole question, answers like this, and then waits until the asker has gone: closing
    /// with something unread would reset the connection, and the answer could be lost with it.
    fn asked(answer: &'static str, timeout: Duration) -> Result<(), Unhealthy> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    return; // The asker's time was over before it had asked.
                }
                question.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            if answer.ends_with("\r\n\r\n") || answer.is_empty() {
                return;
            }
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest));
        });
        let outcome = ask(&Question {
            host: Ipv4Addr::UNSPECIFIED.into(),
            port,
            path: "/livez".to_owned(),
            timeout,
        });
        answering.join().unwrap();
        outcome
    }

    #[test]
    fn only_200_is_well() {
        asked("HTTP/1.1 200 OK\r\n\r\n", PATIENT).unwrap();
        asked("HTTP/1.0 200 OK\r\n\r\n", PATIENT).unwrap();
        for (answer, expected) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"),
            ("HTTP/1.1 204 No Content\r\n\r\n", "answered 204"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "nobody answers"),
            ("", "nobody answers"),
        ] {
            let complaint = asked(answer, PATIENT).unwrap_err().to_string();
            assert!(complaint.contains(expected), "{answer:?}: {complaint}");
        }
    }

    #[test]
    fn a_service_that_stalls_is_not_waited_for() {
        let outcome = asked("HTTP/1.1", Duration::from_millis(100));
        assert!(matches!(outcome, Err(Unhealthy::Silent { .. })));
    }

    #[test]
    fn nobody_there_is_said_with_the_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let complaint = ask(&Question {
            host: free.ip(),
            port: free.port(),
            path: "/readyz".to_owned(),
            timeout: Duration::from_secs(1),
        });
        assert_eq!(
            complaint.unwrap_err().to_string(),
            format!("nobody answers at http://{free}/readyz")
        );
    }

    #[test]
    fn a_path_is_a_path() {
        assert!(path("/readyz?verbose").is_ok());
        for text in ["", "livez", "/a b", "/a\r\nX: y"] {
            assert!(path(text).is_err(), "{text:?}");
        }
    }
}
