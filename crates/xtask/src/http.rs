//! One GET to the sandbox's own endpoints: JSON over HTTP/1.0, whose answer ends where the connection ends.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde::de::DeserializeOwned;

use crate::{failure::Failure, ports};

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the sandbox at its usual address.
pub(crate) fn get<T: DeserializeOwned>(path: &'static str) -> Result<T, Failure> {
    let body = fetch(ports::SANDBOX, path).map_err(|cause| Failure::Ask { path, cause })?;
    serde_json::from_slice(&body).map_err(|cause| Failure::Answer { path, cause })
}

/// The body of the answer to a GET; any status but 200 is an error.
pub(crate) fn fetch(address: &str, path: &str) -> io::Result<Vec<u8>> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    body(&answer).map(<[u8]>::to_vec)
}

fn body(answer: &[u8]) -> io::Result<&[u8]> {
    let blank = b"\r\n\r\n";
    let end = answer
        .windows(blank.len())
        .position(|window| window == blank)
        .ok_or_else(|| io::Error::other("no HTTP answer"))?;
    let (head, body) = answer.split_at(end);
    let status = String::from_utf8_lossy(head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    if status.split(' ').nth(1) == Some("200") {
        Ok(body.get(blank.len()..).unwrap_or_default())
    } else {
        Err(io::Error::other(format!("answered {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_body_or_its_status() {
        assert_eq!(
            body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\r\n\r\n").unwrap(),
            b"{}\r\n\r\n"
        );
        assert_eq!(
            body(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err().to_string(),
            "answered HTTP/1.1 404 Not Found"
        );
        assert_eq!(body(b"").unwrap_err().to_string(), "no HTTP answer");
    }
}
