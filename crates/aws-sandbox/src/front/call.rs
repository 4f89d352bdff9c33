//! One AWS API call as every service of the sandbox sees it: who calls, where, what.

use bytes::Bytes;

/// A request whose credential scope, operation and body have been read; its protocol is still the service's business.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// From the `SigV4` credential scope, e.g. `eu-central-1`. State of one region is invisible in another.
    pub(crate) region: String,
    /// Twelve digits; the sandbox plays one account.
    pub(crate) account: String,
    /// `DescribeServices`, from `X-Amz-Target`, the query parameter `Action` or the RPC path; empty for S3 and the registry.
    pub(crate) operation: String,
    /// Unique per request; every answer repeats it.
    pub(crate) request_id: String,
    /// Method, URI and headers as they arrived.
    pub(crate) parts: http::request::Parts,
    /// The whole body.
    pub(crate) body: Bytes,
}

/// What a service answers.
pub(crate) type Reply = http::Response<http_body_util::Full<Bytes>>;
