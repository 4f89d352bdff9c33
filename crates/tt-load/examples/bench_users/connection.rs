//! One kept-alive connection: a request out, a whole answer in.

use std::{io, net::SocketAddr, str};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const LARGEST_ANSWER: usize = 1024 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The first lines of an answer.
struct Head {
    status: u16,
    /// Of the head, the empty line included.
    length: usize,
    /// None when the server does not say.
    body: Option<usize>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(1024),
        })
    }

    /// The status of the answer, once all of it is there.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            self.receive().await?;
            let Some(head) = head(&self.buffer)? else { continue };
            let body = head
                .body
                .ok_or_else(|| io::Error::other("an answer without a length"))?;
            if self.buffer.len() >= head.length + body {
                return Ok(head.status);
            }
        }
    }

    /// As `ask`, for an answer without an end: done with its first lines.
    pub(crate) async fn follow(&mut self, request: &[u8]) -> io::Result<u16> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            self.receive().await?;
            if let Some(head) = head(&self.buffer)? {
                self.buffer.drain(..head.length);
                return Ok(head.status);
            }
        }
    }

    /// What has arrived and was not taken yet, after more of it came.
    pub(crate) async fn more(&mut self) -> io::Result<&mut Vec<u8>> {
        self.receive().await?;
        Ok(&mut self.buffer)
    }

    async fn receive(&mut self) -> io::Result<()> {
        if self.buffer.len() > LARGEST_ANSWER {
            return Err(io::Error::other("an answer of more than a megabyte"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// None until all of it is there.
fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let odd = || io::Error::other("no HTTP/1.1 answer");
    let text = str::from_utf8(&bytes[..end]).map_err(|_| odd())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or_else(odd)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Ok(Some(Head {
        status,
        length: end + 4,
        body: if status == 204 { Some(0) } else { length },
    }))
}
