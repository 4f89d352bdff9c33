"""boto3 uses the sandbox as it would use AWS: it looks around, deploys a release and answers its pauses.

Run by main.rs with the sandbox's address in the environment, while users keep asking the service. Release `a` serves,
release `b` is in the registry. An assertion that fails fails the test.
"""

import datetime
import io
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CLUSTER, SERVICE = "demo", "web"


def client(name):
    return boto3.client(name, config=Config(retries={"mode": "standard", "total_max_attempts": 2}, s3={"addressing_style": "path"}))


ecs, elbv2, cloudwatch, s3 = client("ecs"), client("elbv2"), client("cloudwatch"), client("s3")
secrets, logs, sts, rds, ecr = client("secretsmanager"), client("logs"), client("sts"), client("rds"), client("ecr")


def until(what, ask, patience=60):
    """What `ask` answers as soon as that is something."""
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def refused(code, call, **parameters):
    """The call must fail with this code."""
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return error
    raise AssertionError(f"nothing refused; expected {code}")


def service():
    return ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


def deployment(arn):
    return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def look_at_the_service():
    ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=[SERVICE], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found = service()
    assert (found["status"], found["desiredCount"], found["runningCount"]) == ("ACTIVE", 2, 2), found
    assert found["deployments"][0]["rolloutState"] == "COMPLETED", found["deployments"]
    brief = ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)["serviceDeployments"][0]
    assert brief["status"] == "SUCCESSFUL", brief
    target = deployment(brief["serviceDeploymentArn"])["targetServiceRevision"]
    revision = ecs.describe_service_revisions(serviceRevisionArns=[target["arn"]])["serviceRevisions"][0]
    assert revision["containerImages"][0]["imageDigest"].startswith("sha256:"), revision
    tasks = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]
    described = ecs.describe_tasks(cluster=CLUSTER, tasks=tasks)["tasks"]
    assert [task["lastStatus"] for task in described] == ["RUNNING", "RUNNING"], described
    absent = ecs.describe_services(cluster=CLUSTER, services=["absent"])
    assert absent["failures"][0]["reason"] == "MISSING", absent
    refused("ClusterNotFoundException", ecs.describe_services, cluster="absent", services=[SERVICE])
    refused("ServiceNotFoundException", ecs.update_service, cluster=CLUSTER, service="absent", desiredCount=1)


def production_rule():
    attached = service()["loadBalancers"][0]["advancedConfiguration"]
    return elbv2.describe_rules(RuleArns=[attached["productionListenerRule"]])["Rules"][0]


def weights():
    """Target groups of the production rule with their share of the traffic."""
    groups = production_rule()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in groups}


def look_at_the_load_balancer():
    balancer = elbv2.describe_load_balancers()["LoadBalancers"][0]
    assert balancer["State"]["Code"] == "active", balancer
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert sorted(listener["Port"] for listener in listeners) == [8080, 8081], listeners
    serving = [group for group, weight in weights().items() if weight > 0]
    assert len(serving) == 1, weights()
    health = elbv2.describe_target_health(TargetGroupArn=serving[0])["TargetHealthDescriptions"]
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy", "healthy"], health
    refused("TargetGroupNotFound", elbv2.describe_target_groups, Names=["absent"])


def waiting_hook(arn):
    hooks = deployment(arn).get("lifecycleHookDetails", [])
    return next((hook for hook in hooks if hook["status"] == "AWAITING_ACTION"), None)


def deploy_and_answer():
    known = ecs.describe_task_definition(taskDefinition=service()["taskDefinition"])["taskDefinition"]
    container = {**known["containerDefinitions"][0], "image": "web:b"}
    registered = ecs.register_task_definition(family=known["family"], containerDefinitions=[container], cpu="256", memory="512")
    before = weights()
    updated = ecs.update_service(
        cluster=CLUSTER,
        service=SERVICE,
        taskDefinition=registered["taskDefinition"]["taskDefinitionArn"],
        deploymentConfiguration={
            "strategy": "CANARY",
            "bakeTimeInMinutes": 1,
            "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1},
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "lifecycleHooks": [
                {
                    "targetType": "PAUSE",
                    "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"],
                    "timeoutConfiguration": {"timeoutInMinutes": 600, "action": "ROLLBACK"},
                }
            ],
        },
    )
    arn = updated["service"]["currentServiceDeployment"]
    first = until("the first pause", lambda: waiting_hook(arn))
    assert first["timeoutAction"] == "ROLLBACK" and first["expiresAt"] > datetime.datetime.now(datetime.timezone.utc), first
    assert weights() == before, "no traffic moves before the first pause is answered"
    continue_deployment = dict(serviceDeploymentArn=arn, hookId=first["hookId"], action="CONTINUE")
    ecs.continue_service_deployment(**continue_deployment)
    second = until("the second pause", lambda: waiting_hook(arn))
    assert second["hookId"] != first["hookId"], "every step has a pause of its own"
    assert sorted(weights().values()) == [20, 80], weights()
    ecs.continue_service_deployment(**{**continue_deployment, "hookId": second["hookId"]})
    until("the end of the deployment", lambda: deployment(arn)["status"] == "SUCCESSFUL")
    assert {group for group, weight in weights().items() if weight} != {group for group, weight in before.items() if weight}
    return [group.partition("targetgroup/")[2] for group in before]


def look_at_the_metrics(groups):
    balancer = elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"].partition("loadbalancer/")[2]
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)

    def query(number, group, name, stat):
        dimensions = [{"Name": "TargetGroup", "Value": f"targetgroup/{group}"}, {"Name": "LoadBalancer", "Value": balancer}]
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        return {"Id": f"{name.lower()}{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}

    queries = [query(n, group, name, stat) for n, group in enumerate(groups) for name, stat in [("RequestCount", "Sum"), ("TargetResponseTime", "p95")]]
    queries.append({"Id": "all", "Expression": "SUM(METRICS(\"requestcount\"))"})
    window = dict(StartTime=end - datetime.timedelta(minutes=15), EndTime=end)
    results = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)["MetricDataResults"]
    values = {result["Id"]: result["Values"] for result in results}
    for number in range(len(groups)):
        assert sum(values[f"requestcount{number}"]) > 0, values
        assert 0 < max(values[f"targetresponsetime{number}"]) < 60, values
    assert sum(values["all"]) == sum(values["requestcount0"]) + sum(values["requestcount1"]), values
    points = cloudwatch.get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCount",
        Dimensions=[{"Name": "LoadBalancer", "Value": balancer}],
        Period=60,
        Statistics=["Sum", "Maximum"],
        **window,
    )["Datapoints"]
    assert points and points[0]["Unit"] == "Count" and points[0]["Maximum"] == 1, points
    names = {metric["MetricName"] for page in cloudwatch.get_paginator("list_metrics").paginate() for metric in page["Metrics"]}
    assert {"RequestCount", "TargetResponseTime", "HealthyHostCount", "CPUUtilization", "MemoryUtilization"} <= names, names


def watch_with_an_alarm():
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Failures", "Value": 3, "Unit": "Count"}])
    cloudwatch.put_metric_alarm(
        AlarmName="failures",
        Namespace="Shop",
        MetricName="Failures",
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=3600,
        DatapointsToAlarm=1,
        Threshold=3,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )

    def state():
        return cloudwatch.describe_alarms(AlarmNames=["failures"])["MetricAlarms"][0]["StateValue"]

    until("the alarm", lambda: state() == "ALARM")
    cloudwatch.delete_alarms(AlarmNames=["failures"])
    refused("ResourceNotFound", cloudwatch.set_alarm_state, AlarmName="failures", StateValue="OK", StateReason="gone")


def write_on_condition():
    s3.create_bucket(Bucket="locks", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def take(owner):
        try:
            return s3.put_object(Bucket="locks", Key="deploy lock", Body=f"owner {owner}".encode(), IfNoneMatch="*")["ETag"]
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error.response
            return None

    with ThreadPoolExecutor(8) as owners:
        taken = [etag for etag in owners.map(take, range(8)) if etag]
    assert len(taken) == 1, taken
    refused("PreconditionFailed", s3.put_object, Bucket="locks", Key="deploy lock", Body=b"stolen", IfMatch='"0"')
    renewed = s3.put_object(Bucket="locks", Key="deploy lock", Body=b"renewed", IfMatch=taken[0])["ETag"]
    refused("PreconditionFailed", s3.delete_object, Bucket="locks", Key="deploy lock", IfMatch=taken[0])
    found = s3.get_object(Bucket="locks", Key="deploy lock")
    assert (found["Body"].read(), found["ETag"]) == (b"renewed", renewed)
    s3.delete_object(Bucket="locks", Key="deploy lock", IfMatch=renewed)
    refused("404", s3.head_object, Bucket="locks", Key="deploy lock")


def store_objects():
    big = bytes(range(256)) * 65536  # 16 MiB, so that boto3 sends it in parts
    s3.upload_fileobj(io.BytesIO(big), "locks", "big", ExtraArgs={"ContentType": "application/x-big", "Metadata": {"release": "b"}})
    head = s3.head_object(Bucket="locks", Key="big")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(big), "application/x-big", {"release": "b"}), head
    back = io.BytesIO()
    s3.download_fileobj("locks", "big", back)
    assert back.getvalue() == big
    for number in range(5):
        s3.put_object(Bucket="locks", Key=f"records/{number}.json", Body=b"{}")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="locks", Delimiter="/", PaginationConfig={"PageSize": 1})
    seen = [item for page in pages for item in [*page.get("Contents", []), *page.get("CommonPrefixes", [])]]
    assert [item.get("Key") or item["Prefix"] for item in seen] == ["big", "records/"], seen
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": "locks", "Key": "records/1.json"})
    with urllib.request.urlopen(signed, timeout=10) as answer:
        assert answer.read() == b"{}"
    refused("NoSuchBucket", s3.list_objects_v2, Bucket="absent")


def use_the_rest():
    assert sts.get_caller_identity()["Account"] == "000000000000"
    created = secrets.create_secret(Name="app/key", SecretString="one")
    secrets.put_secret_value(SecretId="app/key", SecretString="two")
    assert secrets.get_secret_value(SecretId=created["ARN"])["SecretString"] == "two"
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="absent")
    assert "/ecs/web" in [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert logs.filter_log_events(logGroupName="/ecs/web")["events"], "tasks print where they listen"
    assert isinstance(rds.describe_db_instances()["DBInstances"], list)
    refused("DBInstanceNotFound", rds.describe_db_instances, DBInstanceIdentifier="absent")
    assert ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"].startswith("http")
    elsewhere = boto3.client("ecs", region_name="us-east-1")
    assert elsewhere.list_clusters()["clusterArns"] == [], "regions are isolated"


def keep_a_database():
    """A snapshot here and elsewhere, the restorable window, and a restore; every waiter is boto3's own."""
    quick = {"Delay": 1, "MaxAttempts": 60}
    name = dict(DBInstanceIdentifier="books")
    made = dict(Engine="postgres", DBInstanceClass="db.t4g.micro", AllocatedStorage=20, MasterUsername="app", MasterUserPassword="it's-a-secret")
    rds.create_db_instance(**name, **made, BackupRetentionPeriod=1, Tags=[{"Key": "of", "Value": "books"}])
    rds.get_waiter("db_instance_available").wait(**name, WaiterConfig=quick)
    taken = rds.create_db_snapshot(**name, DBSnapshotIdentifier="books-1")["DBSnapshot"]
    assert (taken["Status"], taken["SnapshotType"], taken["PercentProgress"]) == ("creating", "manual", 0), taken
    rds.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="books-1", WaiterConfig=quick)
    elsewhere = boto3.client("rds", region_name="eu-west-1")
    copied = elsewhere.copy_db_snapshot(
        SourceDBSnapshotIdentifier=taken["DBSnapshotArn"], TargetDBSnapshotIdentifier="books-1", SourceRegion="eu-central-1"
    )["DBSnapshot"]
    assert copied["SourceRegion"] == "eu-central-1", copied
    elsewhere.get_waiter("db_snapshot_completed").wait(DBSnapshotIdentifier="books-1", WaiterConfig=quick)
    automated = until("the window", lambda: [found for found in rds.describe_db_instance_automated_backups(**name)["DBInstanceAutomatedBackups"] if found["RestoreWindow"]])
    window = automated[0]["RestoreWindow"]
    point = dict(SourceDBInstanceIdentifier="books", TargetDBInstanceIdentifier="books-then")
    late = refused("InvalidParameterValue", rds.restore_db_instance_to_point_in_time, **point, RestoreTime=window["LatestTime"] + datetime.timedelta(days=1))
    assert "later than" in late.response["Error"]["Message"], late.response
    refused("InvalidParameterCombination", rds.restore_db_instance_to_point_in_time, **point)
    rds.restore_db_instance_to_point_in_time(**point, RestoreTime=window["EarliestTime"], BackupRetentionPeriod=0)
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="books-then", WaiterConfig=quick)
    kinds = {snapshot["SnapshotType"] for page in rds.get_paginator("describe_db_snapshots").paginate(**name) for snapshot in page["DBSnapshots"]}
    assert kinds == {"manual", "automated"}, kinds
    refused("DBSnapshotNotFound", rds.describe_db_snapshots, DBSnapshotIdentifier="absent")
    rds.delete_db_instance(DBInstanceIdentifier="books-then", SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="books-then", WaiterConfig=quick)


look_at_the_service()
look_at_the_load_balancer()
served = deploy_and_answer()
look_at_the_metrics(served)
watch_with_an_alarm()
write_on_condition()
store_objects()
use_the_rest()
keep_a_database()
