"""The AWS CLI uses the sandbox as a person at a terminal would: look, deploy, answer the pause, check.

Run by main.rs with the sandbox's address in the environment. Release `a` serves, release `b` is in the registry. Every
call is a process of its own, so there are only as many as it takes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

CLUSTER, SERVICE = "demo", "web"


def aws(*words):
    """What the CLI prints."""
    done = subprocess.run([sys.executable, "-m", "awscli", *words, "--output", "json"], capture_output=True, text=True)
    assert done.returncode == 0, f"aws {' '.join(words)}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout


def refused(code, *words):
    """The CLI must fail with this code and say so."""
    done = subprocess.run([sys.executable, "-m", "awscli", *words], capture_output=True, text=True)
    assert done.returncode != 0 and code in done.stderr, f"aws {' '.join(words)}: {done.returncode} {done.stderr}"


def until(what, ask, patience=60):
    deadline = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def service():
    return aws("ecs", "describe-services", "--cluster", CLUSTER, "--services", SERVICE)["services"][0]


def deployment(arn):
    return aws("ecs", "describe-service-deployments", "--service-deployment-arns", arn)["serviceDeployments"][0]


def look():
    aws("ecs", "wait", "services-stable", "--cluster", CLUSTER, "--services", SERVICE)
    found = service()
    assert (found["runningCount"], found["desiredCount"]) == (2, 2), found
    listed = aws("ecs", "list-service-deployments", "--cluster", CLUSTER, "--service", SERVICE)["serviceDeployments"]
    assert listed[0]["status"] == "SUCCESSFUL", listed
    advanced = found["loadBalancers"][0]["advancedConfiguration"]
    rule = aws("elbv2", "describe-rules", "--rule-arns", advanced["productionListenerRule"])["Rules"][0]
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    serving = next(group["TargetGroupArn"] for group in groups if group["Weight"] > 0)
    health = aws("elbv2", "describe-target-health", "--target-group-arn", serving)["TargetHealthDescriptions"]
    assert {target["TargetHealth"]["State"] for target in health} == {"healthy"}, health
    refused("ServiceNotFoundException", "ecs", "update-service", "--cluster", CLUSTER, "--service", "absent")


def deploy():
    known = aws("ecs", "describe-task-definition", "--task-definition", service()["taskDefinition"])["taskDefinition"]
    containers = json.dumps([{**known["containerDefinitions"][0], "image": "web:b"}])
    sizes = ["--cpu", "256", "--memory", "512"]
    registered = aws("ecs", "register-task-definition", "--family", "web", "--container-definitions", containers, *sizes)
    revision = registered["taskDefinition"]["taskDefinitionArn"]
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    how = json.dumps({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [hook]})
    updated = aws(
        *["ecs", "update-service", "--cluster", CLUSTER, "--service", SERVICE],
        *["--task-definition", revision, "--deployment-configuration", how],
    )
    arn = updated["service"]["currentServiceDeployment"]

    def waiting():
        hooks = deployment(arn).get("lifecycleHookDetails", [])
        return next((hook["hookId"] for hook in hooks if hook["status"] == "AWAITING_ACTION"), None)

    answer = ["--hook-id", until("the pause", waiting), "--action", "CONTINUE"]
    aws("ecs", "continue-service-deployment", "--service-deployment-arn", arn, *answer)
    until("the end of the deployment", lambda: deployment(arn)["status"] == "SUCCESSFUL")
    assert service()["taskDefinition"] == revision


def measure():
    now = time.time()
    window = ["--start-time", f"{now - 900:.0f}", "--end-time", f"{now + 60:.0f}", "--period", "60"]
    balancer = aws("elbv2", "describe-load-balancers")["LoadBalancers"][0]["LoadBalancerArn"].partition("loadbalancer/")[2]
    metric = ["--namespace", "AWS/ApplicationELB", "--metric-name", "RequestCount", "--statistics", "Sum"]
    points = aws("cloudwatch", "get-metric-statistics", *metric, *window, "--dimensions", f"Name=LoadBalancer,Value={balancer}")
    assert sum(point["Sum"] for point in points["Datapoints"]) > 0, points
    names = [alarm["AlarmName"] for alarm in aws("cloudwatch", "describe-alarms")["MetricAlarms"]]
    assert names == ["web-errors"], names


def store():
    aws("s3", "mb", "s3://cli-locks")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "body")
        with open(path, "wb") as body:
            body.write(b"0123456789abcdef" * 640_000)
        put = ["s3api", "put-object", "--bucket", "cli-locks", "--key", "lock", "--body", __file__]
        etag = aws(*put, "--if-none-match", "*")["ETag"]
        refused("PreconditionFailed", *put, "--if-none-match", "*")
        refused("PreconditionFailed", *put, "--if-match", '"0"')
        aws(*put, "--if-match", etag)
        # Ten megabytes go up in parts.
        aws("s3", "cp", path, "s3://cli-locks/records/big")
        aws("s3", "cp", "s3://cli-locks/records/big", path + ".back")
        with open(path, "rb") as sent, open(path + ".back", "rb") as back:
            assert sent.read() == back.read()
    assert "big" in aws("s3", "ls", "s3://cli-locks/records/")
    aws("s3", "rb", "s3://cli-locks", "--force")


def rest():
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"
    aws("secretsmanager", "create-secret", "--name", "cli/key", "--secret-string", "one")
    assert aws("secretsmanager", "get-secret-value", "--secret-id", "cli/key")["SecretString"] == "one"
    refused("DBInstanceNotFound", "rds", "describe-db-instances", "--db-instance-identifier", "absent")
    groups = aws("logs", "describe-log-groups", "--log-group-name-prefix", "/ecs/web")["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/ecs/web"], groups


def save():
    """A database and a snapshot of it; without automated backups there is no point in time."""
    name = ["--db-instance-identifier", "cli"]
    what = ["--engine", "postgres", "--db-instance-class", "db.t4g.micro", "--allocated-storage", "20", "--backup-retention-period", "0"]
    aws("rds", "create-db-instance", *name, *what, "--master-username", "app", "--master-user-password", "it's-a-secret")
    # The CLI's own waiter looks every 30 seconds.
    until("the database", lambda: aws("rds", "describe-db-instances", *name)["DBInstances"][0]["DBInstanceStatus"] == "available")
    snapshot = ["--db-snapshot-identifier", "cli-1"]
    aws("rds", "create-db-snapshot", *name, *snapshot)
    until("the snapshot", lambda: aws("rds", "describe-db-snapshots", *snapshot)["DBSnapshots"][0]["Status"] == "available")
    names = ["--source-db-instance-identifier", "cli", "--target-db-instance-identifier", "then"]
    refused("PointInTimeRestoreNotEnabled", "rds", "restore-db-instance-to-point-in-time", *names, "--use-latest-restorable-time")


look()
deploy()
measure()
store()
rest()
save()
