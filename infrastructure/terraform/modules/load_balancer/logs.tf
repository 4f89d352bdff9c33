# Load balancers write their logs with S3's own keys only (Elastic Load Balancing, Application Load Balancers: "Enable access
# logs for your Application Load Balancer"). Other buckets and the distribution leave their access logs here too.
module "logs" {
  source = "../bucket"

  name            = var.log_bucket
  expire_days     = var.log_retention_days
  noncurrent_days = 30

  statements = [
    {
      Sid       = "LoadBalancer"
      Effect    = "Allow"
      Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${var.log_bucket}/${var.name}/AWSLogs/*"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    },
    {
      Sid       = "Buckets"
      Effect    = "Allow"
      Principal = { Service = "logging.s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "arn:aws:s3:::${var.log_bucket}/s3/*"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    },
  ]
}

data "aws_caller_identity" "current" {}
