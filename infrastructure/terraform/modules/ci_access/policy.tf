# What tt-ops calls, and nothing else. A test of the crate `tt-aws` reads this file and its own calls, and fails when one has
# what the other lacks; it names the action. Resources are as narrow as each action allows (AWS Service Authorization
# Reference); the statements with "*" are of actions that know no resource.

locals {
  ecs = "arn:aws:ecs:${var.region}:${var.account_id}"
  its = "${var.cluster_name}/${var.service_name}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Service"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"]
        Resource = "${local.ecs}:service/${local.its}"
      },
      {
        Sid    = "Deployments"
        Effect = "Allow"
        Action = [
          "ecs:ContinueServiceDeployment",
          "ecs:DescribeServiceDeployments",
          "ecs:DescribeServiceRevisions",
          "ecs:StopServiceDeployment",
        ]
        Resource = ["${local.ecs}:service-deployment/${local.its}/*", "${local.ecs}:service-revision/${local.its}/*"]
      },
      {
        Sid      = "Revisions"
        Effect   = "Allow"
        Action   = ["ecs:RegisterTaskDefinition", "ecs:RunTask"]
        Resource = "${local.ecs}:task-definition/${var.family}:*"
      },
      {
        # A new revision carries the release, the commit and its base as tags.
        Sid      = "RevisionTags"
        Effect   = "Allow"
        Action   = "ecs:TagResource"
        Resource = "${local.ecs}:task-definition/${var.family}:*"
        Condition = {
          StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" }
        }
      },
      {
        Sid      = "AnyRevision"
        Effect   = "Allow"
        Action   = "ecs:DescribeTaskDefinition"
        Resource = "*"
      },
      {
        Sid      = "Tasks"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks", "ecs:StopTask"]
        Resource = "${local.ecs}:task/${var.cluster_name}/*"
      },
      {
        Sid       = "TasksOfTheCluster"
        Effect    = "Allow"
        Action    = "ecs:ListTasks"
        Resource  = "*"
        Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs}:cluster/${var.cluster_name}" } }
      },
      {
        # With a task definition, its two roles are handed to ECS.
        Sid       = "TaskRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = var.passed_role_arns
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid    = "Traffic"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeLoadBalancers",
          "elasticloadbalancing:DescribeRules",
          "elasticloadbalancing:DescribeTargetHealth",
        ]
        Resource = "*"
      },
      {
        Sid      = "Metrics"
        Effect   = "Allow"
        Action   = ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"]
        Resource = "*"
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "${var.log_group_arn}:*"
      },
      {
        Sid      = "Database"
        Effect   = "Allow"
        Action   = "rds:DescribeDBInstances"
        Resource = "arn:aws:rds:${var.region}:${var.account_id}:db:*"
      },
      {
        # Both Regions are looked into.
        Sid      = "BackupsSeen"
        Effect   = "Allow"
        Action   = ["rds:DescribeDBInstanceAutomatedBackups", "rds:DescribeDBSnapshots"]
        Resource = "*"
      },
      {
        # Snapshots, copies of them in the other Region, and instances restored from them: their names are made when they are.
        Sid    = "BackupsMade"
        Effect = "Allow"
        Action = [
          "rds:AddTagsToResource",
          "rds:CopyDBSnapshot",
          "rds:CreateDBSnapshot",
          "rds:RestoreDBInstanceFromDBSnapshot",
          "rds:RestoreDBInstanceToPointInTime",
          "rds:StartDBInstanceAutomatedBackupsReplication",
        ]
        Resource = [for kind in ["auto-backup", "db", "og", "pg", "snapshot", "subgrp"] : "arn:aws:rds:*:${var.account_id}:${kind}:*"]
      },
      {
        # What tt-ops made itself, which its tag says; never the database.
        Sid       = "BackupsTidied"
        Effect    = "Allow"
        Action    = ["rds:DeleteDBInstance", "rds:DeleteDBSnapshot"]
        Resource  = ["arn:aws:rds:*:${var.account_id}:db:*", "arn:aws:rds:*:${var.account_id}:snapshot:*"]
        Condition = { Null = { "aws:ResourceTag/tt-ops:purpose" = "false" } }
      },
      {
        Sid      = "BackupKeysSeen"
        Effect   = "Allow"
        Action   = "kms:DescribeKey"
        Resource = var.backup_key_arns
      },
      {
        # RDS keeps using the key of a copy, which is what a grant is for.
        Sid       = "BackupKeys"
        Effect    = "Allow"
        Action    = "kms:CreateGrant"
        Resource  = var.backup_key_arns
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = "secretsmanager:DescribeSecret"
        Resource = var.secret_arns
      },
      {
        # The registry's login is the one secret whose value tt-ops reads itself, to resolve a tag.
        Sid      = "RegistryLogin"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = var.registry_secret_arn
      },
      {
        # Only with a repository in Amazon ECR.
        Sid      = "RegistryToken"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Sid      = "Records"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${var.records_arn}/*"
      },
      {
        # Without it, a lock that does not exist yet would be answered with 403 instead of 404.
        Sid      = "RecordsList"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = var.records_arn
      },
      {
        # Exports that failed, or that nobody needs any more. Nothing else in the bucket can be deleted.
        Sid      = "ExportsTidied"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject"]
        Resource = "${var.records_arn}/*/exports/*"
      },
      {
        # What a killed export began to send.
        Sid      = "ExportsUnfinished"
        Effect   = "Allow"
        Action   = "s3:ListBucketMultipartUploads"
        Resource = var.records_arn
      },
      {
        # S3 and Secrets Manager encrypt and decrypt on behalf of whoever calls them.
        Sid      = "Keys"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = var.key_arns
      },
    ]
  })
}
