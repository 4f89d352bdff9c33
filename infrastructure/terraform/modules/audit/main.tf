# Who did what in the account, in all Regions, in files that nobody can change unnoticed.

locals {
  bucket_arn = "arn:aws:s3:::${var.bucket}"
  trail_arn  = "arn:aws:cloudtrail:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:trail/${var.name}"
}

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:A message for every file would be read by nobody; what matters is searched in the log group
  name                          = var.name
  s3_bucket_name                = module.files.name
  kms_key_id                    = module.key.arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.this.arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.this.arn
}

module "files" {
  source = "../bucket"

  name              = var.bucket
  key               = module.key
  expire_days       = var.retention_days
  noncurrent_days   = var.retention_days
  access_log_bucket = var.access_log_bucket

  # AWS CloudTrail User Guide, "Amazon S3 bucket policy for CloudTrail".
  statements = [
    {
      Sid       = "TrailLooks"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:GetBucketAcl"
      Resource  = local.bucket_arn
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
    {
      Sid       = "TrailWrites"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arn}/AWSLogs/${data.aws_caller_identity.current.account_id}/*"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn, "s3:x-amz-acl" = "bucket-owner-full-control" } }
    },
  ]
}

module "key" {
  source = "../key"

  name        = "${var.name}-audit"
  description = "CloudTrail ${var.name}"
  services    = ["cloudtrail.amazonaws.com", "logs.${data.aws_region.current.region}.amazonaws.com"]
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/cloudtrail/${var.name}"
  retention_in_days = 365
  kms_key_id        = module.key.arn
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-cloudtrail"
  description = "Lets CloudTrail write to its log group"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "write"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*"
    }]
  })
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
