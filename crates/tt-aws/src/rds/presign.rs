//! The leave to read an encrypted backup: a call of the Region that has it, signed beforehand, which the Region that wants a copy
//! then makes itself (Amazon RDS API Reference, `CopyDBSnapshot`, `PreSignedUrl`).
//!
//! Other SDKs make it up from a source Region; the one for Rust leaves it to its callers.

use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use tt_environment::{Environment, KmsKey, Region};
use tt_execute::{PortError, PortErrorKind};

use crate::{clients::Clients, error::other};

/// Enough for the other Region to make its call, which it does at once.
const VALID: Duration = Duration::from_hours(1);

/// A call of the environment's own Region for the Region `to`; `what` is the parameter that names the backup, and its ARN.
pub(crate) async fn call(
    clients: &Clients,
    environment: &Environment,
    action: &str,
    what: (&str, &str),
    to: &Region,
    kms_key: Option<&KmsKey>,
) -> Result<String, PortError> {
    let failed = |cause: String| other(format!("sign {action} for {to}"), PortErrorKind::Other, cause);
    let home = environment.aws.region.as_str();
    let endpoint = environment
        .aws
        .endpoint_url
        .as_ref()
        .map_or_else(|| format!("https://rds.{home}.amazonaws.com/"), ToString::to_string);
    let mut parameters = vec![
        ("Action", action),
        ("Version", "2014-10-31"),
        ("DestinationRegion", to.as_str()),
        what,
    ];
    parameters.extend(kms_key.map(|key| ("KmsKeyId", key.as_str())));
    let query: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let url = format!("{endpoint}?{}", query.join("&"));

    let provider = clients
        .credentials()
        .ok_or_else(|| failed("there are no credentials".to_owned()))?;
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error| other(format!("sign {action}"), PortErrorKind::Credentials, error.to_string()))?;
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(VALID);
    let signing = v4::SigningParams::builder()
        .identity(&identity)
        .region(home)
        .name("rds")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))
        .map_err(|error| failed(error.to_string()))?;
    let (instructions, _signature) = sign(request, &signing.into())
        .map_err(|error| failed(error.to_string()))?
        .into_parts();
    let signed = instructions.params().iter();
    let signed: Vec<String> = signed
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    Ok(format!("{url}&{}", signed.join("&")))
}

/// As a query has it (RFC 3986, "Unreserved Characters").
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn an_arn_and_a_signature_survive_a_query() {
        assert_eq!(
            encoded("arn:aws:rds:x:1:db/a b+c"),
            "arn%3Aaws%3Ards%3Ax%3A1%3Adb%2Fa%20b%2Bc"
        );
        assert_eq!(encoded("AZaz09-_.~"), "AZaz09-_.~");
    }
}
