"""The same calls go to the sandbox and to moto, and the answers must have the same shape.

Run by main.rs with the sandbox's address in the environment. A shape is the names of the fields and the types of what is
in them. `known_differences.txt` lists every difference there may be, by name and with its reason; one that is not
listed fails the test, and so does a listed one that is gone.
"""

import datetime
import logging
import os
import pathlib
import re
import sys

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KNOWN = pathlib.Path(__file__).with_name("known_differences.txt")


class Recorder:
    """Calls one of the two and keeps the shapes of the answers by `service.operation`."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.shapes = {}

    def __call__(self, service, operation, /, **parameters):
        client = boto3.client(service, endpoint_url=self.endpoint)
        name = f"{service}.{operation}"
        try:
            answer = getattr(client, operation)(**parameters)
            answer.pop("ResponseMetadata")
        except ClientError as error:
            answer = {"refused with": {error.response["Error"]["Code"]: True}}
        merge(self.shapes.setdefault(name, {}), shape(answer))
        return answer


def shape(value):
    if isinstance(value, dict):
        merged = {}
        for name, inner in value.items():
            # A version's id is data, not a field.
            merge(merged, {"{}" if UUID.fullmatch(name) else name: shape(inner)})
        return merged
    if isinstance(value, list):
        merged = {}
        for item in value:
            merge(merged, {"[]": shape(item)})
        return merged
    if isinstance(value, datetime.datetime):
        return "time"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return type(value).__name__
    return "number"


def merge(into, more):
    for name, inner in more.items():
        if isinstance(inner, dict) and isinstance(into.get(name), dict):
            merge(into[name], inner)
        else:
            into.setdefault(name, inner)


def differences(path, ours, theirs):
    """`path (only moto)`, `path (only sandbox)` and `path (type)`."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        if ours != theirs:
            yield f"{path} (type)"
        return
    for name in sorted({*ours, *theirs}):
        inner = f"{path}{name}" if name == "[]" else f"{path}.{name}"
        if name not in ours:
            yield f"{inner} (only moto)"
        elif name not in theirs:
            yield f"{inner} (only sandbox)"
        else:
            yield from differences(inner, ours[name], theirs[name])


def known_differences():
    """Lines `difference: reason`; a `*` in a name stands for any text."""
    known = {}
    for line in KNOWN.read_text().splitlines():
        if line and not line.startswith("#"):
            name, separator, reason = line.partition(": ")
            assert separator and reason, f"no reason for {line}"
            known[name] = reason
    return known


def store(call):
    call("s3", "create_bucket", Bucket="shapes", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    call("s3", "put_object", Bucket="shapes", Key="a/b", Body=b"one", ContentType="text/plain", Metadata={"k": "v"})
    call("s3", "put_object", Bucket="shapes", Key="a/b", Body=b"two", IfNoneMatch="*")
    call("s3", "get_object", Bucket="shapes", Key="a/b")
    call("s3", "head_object", Bucket="shapes", Key="a/b")
    call("s3", "get_object", Bucket="shapes", Key="absent")
    call("s3", "list_objects_v2", Bucket="shapes", Delimiter="/")
    call("s3", "list_objects_v2", Bucket="shapes", Prefix="a/")
    call("s3", "get_bucket_location", Bucket="shapes")
    call("s3", "head_bucket", Bucket="shapes")
    call("s3", "copy_object", Bucket="shapes", Key="c", CopySource="shapes/a/b")
    upload = call("s3", "create_multipart_upload", Bucket="shapes", Key="parts")["UploadId"]
    names = dict(Bucket="shapes", Key="parts", UploadId=upload)
    part = call("s3", "upload_part", **names, PartNumber=1, Body=b"part")["ETag"]
    call("s3", "list_parts", **names)
    call("s3", "complete_multipart_upload", **names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    objects = [{"Key": "a/b"}, {"Key": "c"}, {"Key": "parts"}]
    call("s3", "delete_objects", Bucket="shapes", Delete={"Objects": objects})
    call("s3", "delete_bucket", Bucket="shapes")
    call("s3", "list_objects_v2", Bucket="shapes")


def keep_secrets(call):
    call("secretsmanager", "create_secret", Name="shapes", SecretString="one", Description="d", Tags=[{"Key": "k", "Value": "v"}])
    call("secretsmanager", "create_secret", Name="shapes", SecretString="one")
    call("secretsmanager", "put_secret_value", SecretId="shapes", SecretString="two")
    call("secretsmanager", "get_secret_value", SecretId="shapes")
    call("secretsmanager", "describe_secret", SecretId="shapes")
    call("secretsmanager", "update_secret", SecretId="shapes", Description="e")
    call("secretsmanager", "list_secrets")
    call("secretsmanager", "delete_secret", SecretId="shapes", ForceDeleteWithoutRecovery=True)
    call("secretsmanager", "get_secret_value", SecretId="shapes")


def write_logs(call):
    group, stream = "/shapes", "one"
    names = dict(logGroupName=group, logStreamName=stream)
    call("logs", "create_log_group", logGroupName=group)
    call("logs", "create_log_group", logGroupName=group)
    call("logs", "put_retention_policy", logGroupName=group, retentionInDays=7)
    call("logs", "create_log_stream", **names)
    now = int(datetime.datetime.now().timestamp() * 1000)
    call("logs", "put_log_events", **names, logEvents=[{"timestamp": now, "message": "hello"}])
    call("logs", "get_log_events", **names)
    call("logs", "filter_log_events", logGroupName=group, filterPattern="hello")
    call("logs", "describe_log_groups", logGroupNamePrefix=group)
    call("logs", "describe_log_streams", logGroupName=group)
    call("logs", "delete_log_group", logGroupName=group)
    call("logs", "get_log_events", **names)


def measure(call):
    now = datetime.datetime.now(datetime.timezone.utc)
    window = dict(StartTime=now - datetime.timedelta(minutes=10), EndTime=now + datetime.timedelta(minutes=1))
    dimensions = [{"Name": "Shop", "Value": "one"}]
    datum = {"MetricName": "Orders", "Dimensions": dimensions, "Value": 2, "Unit": "Count", "Timestamp": now}
    call("cloudwatch", "put_metric_data", Namespace="Shapes", MetricData=[datum])
    call("cloudwatch", "list_metrics", Namespace="Shapes")
    metric = {"Namespace": "Shapes", "MetricName": "Orders", "Dimensions": dimensions}
    query = {"Id": "orders", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    call("cloudwatch", "get_metric_data", MetricDataQueries=[query], **window)
    call("cloudwatch", "get_metric_statistics", **metric, **window, Period=60, Statistics=["Sum", "Average"])
    alarm = dict(AlarmName="shapes", AlarmDescription="d", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0)
    call("cloudwatch", "put_metric_alarm", **metric, **alarm, ComparisonOperator="GreaterThanThreshold")
    call("cloudwatch", "describe_alarms")
    call("cloudwatch", "set_alarm_state", AlarmName="shapes", StateValue="OK", StateReason="r")
    call("cloudwatch", "set_alarm_state", AlarmName="absent", StateValue="OK", StateReason="r")
    call("cloudwatch", "delete_alarms", AlarmNames=["shapes"])


def balance(call, network):
    arn = call("elbv2", "create_load_balancer", Name="shapes", Subnets=network["subnets"])["LoadBalancers"][0]["LoadBalancerArn"]
    group = call("elbv2", "create_target_group", Name="shapes", Protocol="HTTP", Port=80, VpcId=network["vpc"], TargetType="ip")
    group = group["TargetGroups"][0]["TargetGroupArn"]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}
    listener = call("elbv2", "create_listener", LoadBalancerArn=arn, Protocol="HTTP", Port=8099, DefaultActions=[forward])
    listener = listener["Listeners"][0]["ListenerArn"]
    path = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x/*"]}}]
    call("elbv2", "create_rule", ListenerArn=listener, Priority=5, Conditions=path, Actions=[forward])
    call("elbv2", "describe_load_balancers", LoadBalancerArns=[arn])
    call("elbv2", "describe_listeners", LoadBalancerArn=arn)
    rules = call("elbv2", "describe_rules", ListenerArn=listener)["Rules"]
    rule = next(rule["RuleArn"] for rule in rules if not rule["IsDefault"])
    call("elbv2", "modify_rule", RuleArn=rule, Actions=[forward])
    call("elbv2", "describe_target_groups", TargetGroupArns=[group])
    call("elbv2", "describe_target_group_attributes", TargetGroupArn=group)
    call("elbv2", "describe_target_health", TargetGroupArn=group)
    call("elbv2", "add_tags", ResourceArns=[arn], Tags=[{"Key": "k", "Value": "v"}])
    call("elbv2", "describe_tags", ResourceArns=[arn])
    call("elbv2", "delete_rule", RuleArn=rule)
    call("elbv2", "delete_listener", ListenerArn=listener)
    call("elbv2", "delete_target_group", TargetGroupArn=group)
    call("elbv2", "delete_load_balancer", LoadBalancerArn=arn)
    call("elbv2", "describe_rules", ListenerArn=listener)


def orchestrate(call, network):
    call("ecs", "create_cluster", clusterName="shapes")
    container = {"name": "app", "image": "web:none", "essential": True, "portMappings": [{"containerPort": 3000}]}
    sizes = dict(cpu="256", memory="512", networkMode="awsvpc", requiresCompatibilities=["FARGATE"])
    definition = call("ecs", "register_task_definition", family="shapes", containerDefinitions=[container], **sizes)
    definition = definition["taskDefinition"]["taskDefinitionArn"]
    attached = {"awsvpcConfiguration": {"subnets": network["subnets"][:1], "securityGroups": network["groups"]}}
    service = dict(cluster="shapes", serviceName="idle", taskDefinition=definition, desiredCount=0, launchType="FARGATE")
    call("ecs", "create_service", **service, networkConfiguration=attached)
    call("ecs", "describe_clusters", clusters=["shapes", "absent"])
    call("ecs", "describe_task_definition", taskDefinition=definition)
    call("ecs", "list_task_definitions", familyPrefix="shapes")
    call("ecs", "describe_services", cluster="shapes", services=["idle", "absent"])
    call("ecs", "list_services", cluster="shapes")
    call("ecs", "list_tasks", cluster="shapes")
    call("ecs", "update_service", cluster="shapes", service="idle", desiredCount=0)
    call("ecs", "delete_service", cluster="shapes", service="idle", force=True)
    call("ecs", "update_service", cluster="absent", service="idle")


def everything(endpoint, network):
    call = Recorder(endpoint)
    call("sts", "get_caller_identity")
    store(call)
    keep_secrets(call)
    write_logs(call)
    measure(call)
    balance(call, network)
    orchestrate(call, network)
    call("rds", "describe_db_instances")
    call("rds", "describe_db_instances", DBInstanceIdentifier="absent")
    return call.shapes


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    moto = f"http://{host}:{port}"
    ec2 = boto3.client("ec2", endpoint_url=moto)
    subnets = ec2.describe_subnets()["Subnets"]
    groups = [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]]
    network = {"groups": groups[:1], "subnets": [subnet["SubnetId"] for subnet in subnets[:2]], "vpc": subnets[0]["VpcId"]}
    theirs = everything(moto, network)
    ours = everything(os.environ["AWS_ENDPOINT_URL"], network)
    server.stop()

    found = set()
    for name in theirs:
        found.update(differences(name, ours[name], theirs[name]))
    known = known_differences()
    used = set()
    unknown = []
    for difference in sorted(found):
        patterns = [name for name in known if re.fullmatch(re.escape(name).replace(r"\*", ".*"), difference)]
        used.update(patterns)
        if not patterns:
            unknown.append(difference)
    gone = sorted(set(known) - used)
    for difference in unknown:
        print(f"not listed: {difference}")
    for name in gone:
        print(f"listed and gone: {name}")
    sys.exit(1 if unknown or gone else 0)


main()
