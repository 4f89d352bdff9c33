data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "this" {
  name              = "${var.service_name}-alarms"
  kms_master_key_id = module.key.arn
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.this.arn
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

# Amazon's own key for SNS cannot be opened to CloudWatch, and an alarm that may not encrypt is silent.
module "key" {
  source = "../key"

  name        = "${var.service_name}-alarms"
  description = "Alarms of ${var.service_name}"
  services    = ["cloudwatch.amazonaws.com"]
}
