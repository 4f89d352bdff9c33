#!/usr/bin/env bash
# The script that most teams have: register, update, wait until stable. It is measured, not used.
set -euo pipefail
image=$1 cluster=task-tracker service=task-tracker
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

current=$(aws ecs describe-services --cluster "$cluster" --services "$service" \
  --query 'services[0].taskDefinition' --output text)
aws ecs describe-task-definition --task-definition "$current" --query taskDefinition --output json > "$work/current.json"
python3 - "$image" "$work/current.json" > "$work/next.json" <<'PYTHON'
import json, sys
definition = json.load(open(sys.argv[2]))
for field in ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"):
    definition.pop(field, None)
definition["containerDefinitions"][0]["image"] = sys.argv[1]
json.dump(definition, sys.stdout)
PYTHON
next=$(aws ecs register-task-definition --cli-input-json "file://$work/next.json" \
  --query taskDefinition.taskDefinitionArn --output text)
aws ecs update-service --cluster "$cluster" --service "$service" --task-definition "$next" \
  --deployment-configuration '{"strategy":"BLUE_GREEN","bakeTimeInMinutes":10,"lifecycleHooks":[]}' > /dev/null
aws ecs wait services-stable --cluster "$cluster" --services "$service"
