//! Compression and its checksum, a piece at a time.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::manifest::Part;

/// How much is gathered before it is handed on.
const CHUNK: usize = 256 * 1024;

/// What comes out of a mouthful of text, usually: a buffer that grows is copied each time.
const PLAIN: usize = 64 * 1024;

/// Compresses what it is given and counts what came of it.
pub(crate) struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    /// Rows come one at a time; the encoder is quicker with more.
    gathered: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    lines: u64,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self {
            // The fastest level: a copy of a database waits for the compression, not for the network.
            encoder: GzEncoder::new(Vec::with_capacity(CHUNK), Compression::fast()),
            gathered: Vec::with_capacity(CHUNK),
            hash: Sha256::new(),
            bytes: 0,
            lines: 0,
        }
    }

    /// Gives what there is to write, if it is enough.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Option<Bytes>> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < CHUNK {
            return Ok(None);
        }
        self.compress()?;
        Ok((self.encoder.get_ref().len() >= CHUNK).then(|| self.take()))
    }

    /// The last bytes, and how many lines went in; the part is complete once they are written.
    pub(crate) fn finish(mut self, name: String) -> io::Result<(Bytes, Part, u64)> {
        self.compress()?;
        let rest = self.encoder.finish()?;
        self.hash.update(&rest);
        let part = Part {
            name,
            bytes: self.bytes + rest.len() as u64,
            sha256: hex::encode(self.hash.finalize()),
        };
        Ok((rest.into(), part, self.lines))
    }

    fn compress(&mut self) -> io::Result<()> {
        self.lines += lines(&self.gathered);
        self.encoder.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    fn take(&mut self) -> Bytes {
        let ready = std::mem::replace(self.encoder.get_mut(), Vec::with_capacity(CHUNK));
        self.hash.update(&ready);
        self.bytes += ready.len() as u64;
        ready.into()
    }
}

/// Sums of 255 bytes fit into a byte, and such sums the processor makes many at a time.
fn lines(text: &[u8]) -> u64 {
    let feeds = |some: &[u8]| some.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    text.chunks(255).map(|some| u64::from(feeds(some))).sum()
}

/// Decompresses what it is given and checks that it is the part.
pub(crate) struct Unpacker {
    decoder: GzDecoder<Vec<u8>>,
    check: Check,
}

/// Reads a part without decompressing it.
pub(crate) struct Check {
    hash: Sha256,
    bytes: u64,
}

impl Check {
    pub(crate) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// What is wrong, if anything.
    pub(crate) fn finish(self, part: &Part) -> Result<(), &'static str> {
        if self.bytes < part.bytes {
            Err("was cut short")
        } else if self.bytes > part.bytes {
            Err("is longer than it was")
        } else if hex::encode(self.hash.finalize()) != part.sha256 {
            Err("was altered: its checksum does not match")
        } else {
            Ok(())
        }
    }
}

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self {
            decoder: GzDecoder::new(Vec::with_capacity(PLAIN)),
            check: Check::new(),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.check.push(bytes);
        self.decoder.write_all(bytes)?;
        Ok(std::mem::replace(self.decoder.get_mut(), Vec::with_capacity(PLAIN)))
    }

    /// The last bytes, and whether this was the part.
    pub(crate) fn finish(mut self, part: &Part) -> io::Result<(Vec<u8>, Result<(), &'static str>)> {
        self.decoder.try_finish()?;
        Ok((std::mem::take(self.decoder.get_mut()), self.check.finish(part)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pack(chunks: &[Vec<u8>]) -> (Vec<u8>, Part, u64) {
        let mut packer = Packer::new();
        let mut whole = Vec::new();
        for chunk in chunks {
            if let Some(ready) = packer.push(chunk).unwrap() {
                whole.extend_from_slice(&ready);
            }
        }
        let (rest, part, lines) = packer.finish("p".to_owned()).unwrap();
        whole.extend_from_slice(&rest);
        (whole, part, lines)
    }

    proptest! {
        // Each case packs up to a megabyte, unoptimised.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_packed_comes_back_and_a_changed_byte_is_noticed(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70_000), 0..12),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut packed, part, lines) = pack(&chunks);
            let whole = chunks.concat();
            prop_assert_eq!(part.bytes, packed.len() as u64);
            prop_assert_eq!(lines, whole.split(|byte| *byte == b'\n').count() as u64 - 1);
            let mut unpacker = Unpacker::new();
            let mut back = unpacker.push(&packed).unwrap();
            let (rest, checked) = unpacker.finish(&part).unwrap();
            back.extend(rest);
            prop_assert_eq!(back, whole);
            prop_assert!(checked.is_ok());
            let at = at.index(packed.len());
            packed[at] ^= 1;
            let mut check = Check::new();
            check.push(&packed);
            prop_assert!(check.finish(&part).is_err());
            let mut check = Check::new();
            check.push(&packed[..at]);
            prop_assert_eq!(check.finish(&part), Err("was cut short"));
        }
    }
}
