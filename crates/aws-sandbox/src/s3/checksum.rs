//! The checksums a client may send with its data (Amazon S3 User Guide, "Checking object integrity").

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};

use super::error::S3Error;

/// A checksum the client sent and that its data had.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Checksum {
    /// `x-amz-checksum-crc32`
    pub(crate) header: String,
    pub(crate) value: String,
}

impl Checksum {
    /// `CRC32`, as S3 writes it in documents.
    pub(crate) fn algorithm(&self) -> String {
        self.header.trim_start_matches("x-amz-checksum-").to_ascii_uppercase()
    }
}

/// Checks `value` against the data; an algorithm that this S3 does not compute is refused, never believed.
pub(crate) fn verify(header: &str, value: &str, data: &[u8]) -> Result<Checksum, S3Error> {
    let bytes: Vec<u8> = match header.strip_prefix("x-amz-checksum-") {
        Some("crc32") => crc::<u32>(&CRC32, data).to_be_bytes().to_vec(),
        Some("crc32c") => crc::<u32>(&CRC32C, data).to_be_bytes().to_vec(),
        Some("crc64nvme") => crc::<u64>(&CRC64_NVME, data).to_be_bytes().to_vec(),
        Some("sha256") => <sha2::Sha256 as sha2::Digest>::digest(data).to_vec(),
        Some(_) | None => return Err(S3Error::not_implemented(&format!("the checksum {header}"))),
    };
    if BASE64_STANDARD.encode(bytes) == value {
        Ok(Checksum {
            header: header.to_owned(),
            value: value.to_owned(),
        })
    } else {
        Err(S3Error::invalid(
            "BadDigest",
            format!("The {header} you specified did not match the calculated checksum"),
        ))
    }
}

/// The whole checksum headers of S3; `x-amz-checksum-algorithm`, `-mode` and `-type` only speak about them.
pub(crate) const HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// What S3 calls an `ETag`: the MD5 in hexadecimal digits.
pub(crate) fn etag(data: &[u8]) -> String {
    hex::encode(md5(data))
}

pub(crate) fn md5(data: &[u8]) -> [u8; 16] {
    Md5::digest(data).into()
}

/// One step of a reflected cyclic redundancy check, in the width of the sum.
trait Width: Copy {
    const ONES: Self;
    fn step(self, table: &[Self; 256], byte: u8) -> Self;
    fn inverted(self) -> Self;
}

fn crc<T: Width>(table: &[T; 256], data: &[u8]) -> T {
    data.iter().fold(T::ONES, |sum, byte| sum.step(table, *byte)).inverted()
}

impl Width for u32 {
    const ONES: Self = Self::MAX;
    fn step(self, table: &[Self; 256], byte: u8) -> Self {
        table[usize::from(self.to_le_bytes()[0] ^ byte)] ^ (self >> 8)
    }
    fn inverted(self) -> Self {
        !self
    }
}

impl Width for u64 {
    const ONES: Self = Self::MAX;
    fn step(self, table: &[Self; 256], byte: u8) -> Self {
        table[usize::from(self.to_le_bytes()[0] ^ byte)] ^ (self >> 8)
    }
    fn inverted(self) -> Self {
        !self
    }
}

// The polynomials in reflected form: IEEE 802.3, Castagnoli, and NVM Express.
static CRC32: [u32; 256] = table_32(0xedb8_8320);
static CRC32C: [u32; 256] = table_32(0x82f6_3b78);
static CRC64_NVME: [u64; 256] = table_64(0x9a6c_9329_ac4b_c9b5);

const fn table_32(polynomial: u32) -> [u32; 256] {
    let wide = table_64(polynomial as u64);
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a reflected 32-bit polynomial never leaves the low 32 bits"
        )]
        {
            table[at] = wide[at] as u32;
        }
        at += 1;
    }
    table
}

const fn table_64(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ polynomial
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogued_check_values_come_out() {
        let data = b"123456789";
        assert_eq!(crc::<u32>(&CRC32, data), 0xcbf4_3926);
        assert_eq!(crc::<u32>(&CRC32C, data), 0xe306_9283);
        assert_eq!(crc::<u64>(&CRC64_NVME, data), 0xae8b_1486_0a79_9888);
        assert_eq!(etag(b""), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn a_wrong_sum_is_refused_and_so_is_an_unknown_one() {
        assert!(verify("x-amz-checksum-crc32", "y/Q5Jg==", b"123456789").is_ok());
        assert_eq!(
            verify("x-amz-checksum-crc32", "AAAAAA==", b"123456789")
                .unwrap_err()
                .code(),
            "BadDigest"
        );
        assert_eq!(
            verify("x-amz-checksum-sha1", "", b"").unwrap_err().code(),
            "NotImplemented"
        );
    }
}
