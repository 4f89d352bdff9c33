module "key" {
  source = "../key"

  name        = "${var.name}-web"
  description = "Files of ${var.domain_name}"
  services    = ["cloudfront.amazonaws.com"]
}

module "files" {
  source = "../bucket"

  name              = var.bucket
  key               = module.key
  access_log_bucket = var.log_bucket

  # Hashed assets of the last releases stay: a page that is open still asks for them.
  noncurrent_days = 30

  # Only this distribution reads (Amazon CloudFront Developer Guide, "Restrict access to an Amazon S3 origin").
  statements = [{
    Sid       = "Distribution"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = "arn:aws:s3:::${var.bucket}/*"
    Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.this.arn } }
  }]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.name
  description                       = "${var.domain_name} reads its files"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}
