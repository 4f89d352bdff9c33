# Standard logging (v2): CloudFront delivers its access log as a CloudWatch vended log, without ACLs on the bucket. Its resources
# live in us-east-1, as everything that CloudFront is configured with.

resource "aws_cloudwatch_log_delivery_source" "this" {
  region       = "us-east-1"
  name         = var.name
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this.arn
}

resource "aws_cloudwatch_log_delivery_destination" "this" {
  region        = "us-east-1"
  name          = var.name
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = aws_cloudwatch_log_group.this.arn
  }
}

resource "aws_cloudwatch_log_delivery" "this" {
  region                   = "us-east-1"
  delivery_source_name     = aws_cloudwatch_log_delivery_source.this.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.this.arn
}

resource "aws_cloudwatch_log_group" "this" {
  region            = "us-east-1"
  name              = "/aws/vendedlogs/cloudfront/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.log_key.arn
}

module "log_key" {
  source = "../key"

  region      = "us-east-1"
  name        = "${var.name}-web-logs"
  description = "Access log of ${var.domain_name}"
  services    = ["logs.us-east-1.amazonaws.com", "delivery.logs.amazonaws.com"]
}
