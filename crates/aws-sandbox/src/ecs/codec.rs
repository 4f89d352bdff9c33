//! AWS JSON 1.1 for Amazon ECS, with the SDK's own schema types as the codec: the same shapes that clients send and
//! read, so an answer cannot drift from the model.

use aws_smithy_json::codec::{JsonCodec, JsonCodecSettings};
use aws_smithy_schema::codec::Codec as _;
use aws_smithy_schema::serde::{SerdeError, SerializableStruct, ShapeDeserializer, ShapeSerializer as _};
use bytes::Bytes;
use http_body_util::Full;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::error::EcsError;
use crate::front::call::{Call, Reply};

/// A structure of the ECS model that can be read from JSON.
pub(crate) trait Shape: SerializableStruct + Sized {
    fn decode(from: &mut dyn ShapeDeserializer) -> Result<Self, SerdeError>;
}

/// The SDK gives every shape its own `deserialize`; this gives them one name.
macro_rules! shapes {
    ($($shape:ty),* $(,)?) => {
        $(impl Shape for $shape {
            fn decode(from: &mut dyn ShapeDeserializer) -> Result<Self, SerdeError> {
                Self::deserialize(from)
            }
        })*
    };
}

mod inputs {
    use super::{SerdeError, Shape, ShapeDeserializer};
    use aws_sdk_ecs::operation::continue_service_deployment::ContinueServiceDeploymentInput;
    use aws_sdk_ecs::operation::create_cluster::CreateClusterInput;
    use aws_sdk_ecs::operation::create_service::CreateServiceInput;
    use aws_sdk_ecs::operation::delete_cluster::DeleteClusterInput;
    use aws_sdk_ecs::operation::delete_service::DeleteServiceInput;
    use aws_sdk_ecs::operation::deregister_task_definition::DeregisterTaskDefinitionInput;
    use aws_sdk_ecs::operation::describe_clusters::DescribeClustersInput;
    use aws_sdk_ecs::operation::describe_service_deployments::DescribeServiceDeploymentsInput;
    use aws_sdk_ecs::operation::describe_service_revisions::DescribeServiceRevisionsInput;
    use aws_sdk_ecs::operation::describe_services::DescribeServicesInput;
    use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionInput;
    use aws_sdk_ecs::operation::describe_tasks::DescribeTasksInput;
    use aws_sdk_ecs::operation::list_clusters::ListClustersInput;
    use aws_sdk_ecs::operation::list_service_deployments::ListServiceDeploymentsInput;
    use aws_sdk_ecs::operation::list_services::ListServicesInput;
    use aws_sdk_ecs::operation::list_tags_for_resource::ListTagsForResourceInput;
    use aws_sdk_ecs::operation::list_task_definition_families::ListTaskDefinitionFamiliesInput;
    use aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsInput;
    use aws_sdk_ecs::operation::list_tasks::ListTasksInput;
    use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
    use aws_sdk_ecs::operation::run_task::RunTaskInput;
    use aws_sdk_ecs::operation::stop_service_deployment::StopServiceDeploymentInput;
    use aws_sdk_ecs::operation::stop_task::StopTaskInput;
    use aws_sdk_ecs::operation::tag_resource::TagResourceInput;
    use aws_sdk_ecs::operation::untag_resource::UntagResourceInput;
    use aws_sdk_ecs::operation::update_service::UpdateServiceInput;
    use aws_sdk_ecs::types::{
        DeploymentConfiguration, LoadBalancer, NetworkConfiguration, TaskDefinition, TaskOverride,
    };

    shapes!(
        ContinueServiceDeploymentInput,
        CreateClusterInput,
        CreateServiceInput,
        DeleteClusterInput,
        DeleteServiceInput,
        DeregisterTaskDefinitionInput,
        DescribeClustersInput,
        DescribeServiceDeploymentsInput,
        DescribeServiceRevisionsInput,
        DescribeServicesInput,
        DescribeTaskDefinitionInput,
        DescribeTasksInput,
        ListClustersInput,
        ListServiceDeploymentsInput,
        ListServicesInput,
        ListTagsForResourceInput,
        ListTaskDefinitionFamiliesInput,
        ListTaskDefinitionsInput,
        ListTasksInput,
        RegisterTaskDefinitionInput,
        RunTaskInput,
        StopServiceDeploymentInput,
        StopTaskInput,
        TagResourceInput,
        UntagResourceInput,
        UpdateServiceInput,
        DeploymentConfiguration,
        LoadBalancer,
        NetworkConfiguration,
        TaskDefinition,
        TaskOverride,
    );
}

fn codec() -> JsonCodec {
    JsonCodec::new(JsonCodecSettings::builder().use_json_name(false).build())
}

/// The operation's input, or the answer AWS gives to a body that is not one.
pub(crate) fn parse<T: Shape>(call: &Call) -> Result<T, EcsError> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    if let Err(error) = serde_json::from_slice::<de::IgnoredAny>(body) {
        return Err(EcsError::serialization(format!("the body is not JSON: {error}")));
    }
    decode(body).map_err(|error| EcsError::serialization(error.to_string()))
}

/// A successful answer.
pub(crate) fn reply<T: SerializableStruct>(call: &Call, output: &T) -> Reply {
    match encode(output) {
        Ok(text) => answer(call, http::StatusCode::OK, text),
        Err(error) => refuse(
            call,
            &EcsError::server(format!("the answer could not be written: {error}")),
        ),
    }
}

/// An error in the shape of AWS JSON 1.1.
pub(crate) fn refuse(call: &Call, error: &EcsError) -> Reply {
    let text = serde_json::json!({ "__type": error.code, "message": error.message }).to_string();
    answer(call, error.status, text.into_bytes())
}

fn answer(call: &Call, status: http::StatusCode, text: Vec<u8>) -> Reply {
    let mut reply = http::Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = http::HeaderValue::from_str(&call.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    reply
}

fn encode<T: SerializableStruct>(value: &T) -> Result<Vec<u8>, SerdeError> {
    let mut serializer = codec().create_serializer();
    serializer.write_struct(value.schema(), value)?;
    Ok(serializer.finish())
}

fn decode<T: Shape>(text: &[u8]) -> Result<T, SerdeError> {
    let codec = codec();
    let mut deserializer = codec.create_deserializer(text);
    T::decode(&mut deserializer)
}

/// A structure of the model inside our own state, kept as the JSON that AWS would send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wire<T>(pub(crate) T);

impl<T: Shape> Serialize for Wire<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = encode(&self.0).map_err(ser::Error::custom)?;
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl<'de, T: Shape> Deserialize<'de> for Wire<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        decode(value.to_string().as_bytes())
            .map(Self)
            .map_err(de::Error::custom)
    }
}
