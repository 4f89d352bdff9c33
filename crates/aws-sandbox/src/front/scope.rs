//! Who signed a request, and for which region and service. Signatures are not verified, but for those in URLs of S3: the
//! sandbox listens on the loopback interface and has nothing to protect. The credential scope routes the call and keeps
//! regions apart.

use http::request::Parts;

/// The credential scope of a request (AWS General Reference, "Signature Version 4").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// From the Authorization header, or from the query of a presigned URL.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let header = parts
            .headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        if let Some(header) = header {
            let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
            let credential = rest
                .split(',')
                .find_map(|part| part.trim().strip_prefix("Credential="))?;
            return Self::parse(credential);
        }
        let query = parts.uri.query()?;
        let (_, credential) =
            url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Credential")?;
        Self::parse(&credential)
    }

    /// `AKID/20250101/eu-central-1/ecs/aws4_request`. An access key may hold anything but a slash.
    fn parse(credential: &str) -> Option<Self> {
        match credential.split('/').collect::<Vec<_>>()[..] {
            [access_key, _, region, service, "aws4_request"] if is_region(region) => Some(Self {
                access_key: access_key.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            }),
            _ => None,
        }
    }
}

/// Regions become names of folders and of ARNs, so nothing else may pass.
fn is_region(region: &str) -> bool {
    (1..=32).contains(&region.len())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(header: Option<&str>, uri: &str) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_scope_is_read_from_header_and_query() {
        let expected = Some(Scope {
            access_key: "AK".to_owned(),
            region: "eu-central-1".to_owned(),
            service: "ecs".to_owned(),
        });
        let header =
            "AWS4-HMAC-SHA256 Credential=AK/20250101/eu-central-1/ecs/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(Scope::of(&parts(Some(header), "/")), expected);
        assert_eq!(
            Scope::of(&parts(
                None,
                "/?X-Amz-Credential=AK%2F20250101%2Feu-central-1%2Fecs%2Faws4_request"
            )),
            expected
        );
    }

    #[test]
    fn nonsense_has_no_scope() {
        for header in [
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=AK/1/../ecs/aws4_request",
            "AWS4-HMAC-SHA256 Credential=AK",
        ] {
            assert_eq!(Scope::of(&parts(Some(header), "/")), None, "{header}");
        }
    }
}
