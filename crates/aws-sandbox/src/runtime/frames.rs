//! Docker's way of carrying two outputs in one stream: frames of a stream's number and a length (Docker Engine API, "Attach to
//! a container", stream format).

use bytes::{Buf as _, Bytes, BytesMut};

/// Which output a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The stream number, three zeros, and the length in four bytes, the highest first.
const HEADER: usize = 8;
const ERR: u8 = 2;

/// Takes frames out of whatever pieces the stream arrives in.
#[derive(Debug, Default)]
pub(super) struct Frames {
    arrived: BytesMut,
}

impl Frames {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.arrived.extend_from_slice(piece);
    }

    /// The next complete frame.
    pub(super) fn next(&mut self) -> Option<(Stream, Bytes)> {
        let header: [u8; HEADER] = self.arrived.get(..HEADER)?.try_into().ok()?;
        let [number, _, _, _, length @ ..] = header;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        if self.arrived.len() < HEADER + length {
            return None;
        }
        self.arrived.advance(HEADER);
        let stream = if number == ERR { Stream::Err } else { Stream::Out };
        Some((stream, self.arrived.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_however_they_arrive() {
        let mut stream = vec![1, 0, 0, 0, 0, 0, 0, 3];
        stream.extend_from_slice(b"out");
        stream.extend_from_slice(&[2, 0, 0, 0, 0, 0, 1, 1]);
        stream.extend_from_slice(&[b'e'; 257]);
        stream.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
        for size in [1, 2, 7, 8, 11, 300] {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                frames.push(piece);
                while let Some(frame) = frames.next() {
                    seen.push(frame);
                }
            }
            assert_eq!(
                seen,
                [
                    (Stream::Out, Bytes::from_static(b"out")),
                    (Stream::Err, Bytes::from(vec![b'e'; 257])),
                    (Stream::Out, Bytes::new()),
                ],
                "in pieces of {size}"
            );
        }
    }
}
