//! Which service and which operation a request is for.

use bytes::Bytes;
use http::request::Parts;

use super::scope::Scope;
use super::service::{Protocol, Service};

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) service: Service,
    /// Empty when the request names none.
    pub(crate) operation: String,
    pub(crate) protocol: Protocol,
}

/// How the answer must look, as far as that can be told before the service is known.
pub(crate) fn protocol(parts: &Parts) -> Protocol {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if header("x-amz-target").is_empty() {
        if header("smithy-protocol") == "rpc-v2-cbor" {
            Protocol::Cbor
        } else if header("content-type").starts_with("application/x-www-form-urlencoded") {
            Protocol::Query
        } else {
            Protocol::RestXml
        }
    } else {
        Protocol::Json
    }
}

/// Nothing for a service that the sandbox does not play.
pub(crate) fn route(parts: &Parts, body: &Bytes, scope: &Scope) -> Option<Route> {
    let protocol = protocol(parts);
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        let (service, operation) = target.rsplit_once('.')?;
        return Some(Route {
            service: Service::of_target(service)?,
            operation: operation.to_owned(),
            protocol,
        });
    }
    if let (Protocol::Cbor, ["", "service", service, "operation", operation]) =
        (protocol, &parts.uri.path().split('/').collect::<Vec<_>>()[..])
    {
        return Some(Route {
            service: Service::of_target(service)?,
            operation: (*operation).to_owned(),
            protocol,
        });
    }
    let service = Service::of_scope(&scope.service)?;
    if service == Service::S3 {
        return Some(Route {
            service,
            operation: crate::s3::operation(parts),
            protocol: Protocol::RestXml,
        });
    }
    let action = |form: &[u8]| {
        url::form_urlencoded::parse(form)
            .find(|(name, _)| name == "Action")
            .map(|(_, value)| value.into_owned())
    };
    let operation = action(body)
        .or_else(|| action(parts.uri.query().unwrap_or_default().as_bytes()))
        .unwrap_or_default();
    Some(Route {
        service,
        operation,
        protocol: Protocol::Query,
    })
}

/// Operations that only look: all others must be on disk before they are answered.
pub(crate) fn only_looks(operation: &str) -> bool {
    ["Describe", "List", "Get", "Head", "Filter", "Test"]
        .iter()
        .any(|prefix| operation.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(service: &str, headers: &[(&str, &str)], uri: &str, body: &'static str) -> Option<Route> {
        let mut request = http::Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let scope = Scope {
            access_key: "AK".to_owned(),
            region: "eu-central-1".to_owned(),
            service: service.to_owned(),
        };
        route(&parts, &Bytes::from_static(body.as_bytes()), &scope)
    }

    #[test]
    fn every_protocol_finds_its_service() {
        let json = routed(
            "ecs",
            &[("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeServices")],
            "/",
            "{}",
        )
        .unwrap();
        assert_eq!(
            (json.service, json.operation.as_str(), json.protocol),
            (Service::Ecs, "DescribeServices", Protocol::Json)
        );
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let query = routed("rds", &form, "/", "Action=DescribeDBInstances&Version=2014-10-31").unwrap();
        assert_eq!(
            (query.service, query.operation.as_str(), query.protocol),
            (Service::Rds, "DescribeDBInstances", Protocol::Query)
        );
        let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
        let cbor = routed("monitoring", &[("smithy-protocol", "rpc-v2-cbor")], path, "").unwrap();
        assert_eq!(
            (cbor.service, cbor.operation.as_str(), cbor.protocol),
            (Service::CloudWatch, "GetMetricData", Protocol::Cbor)
        );
        assert_eq!(routed("s3", &[], "/bucket/key", "").unwrap().service, Service::S3);
        assert_eq!(routed("dynamodb", &[], "/", ""), None);
    }
}
