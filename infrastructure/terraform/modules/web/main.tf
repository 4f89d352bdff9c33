# The site's files from S3, the API from the load balancer, both under one name: no CORS, and one firewall in front.

locals {
  files = "files"
  api   = "api"

  # Amazon CloudFront Developer Guide, "Use managed cache policies" and "Use managed origin request policies".
  caching_optimized      = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  caching_disabled       = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
  all_viewer_except_host = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_86:The access log goes through CloudWatch (logs.tf); the older kind that is looked for needs a bucket with ACLs
  #checkov:skip=CKV_AWS_310:There is no second Region that serves; a lost one is restored from its backups
  #checkov:skip=CKV_AWS_374:Users may be anywhere
  #checkov:skip=CKV2_AWS_47:The rules against Log4j are there (AWSManagedRulesKnownBadInputsRuleSet); the list of anonymous addresses that is also looked for refuses users of VPNs and scripts in data centres
  comment             = var.name
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = "PriceClass_100"
  aliases             = [var.domain_name]
  default_root_object = "index.html"
  web_acl_id          = module.firewall.arn

  origin {
    origin_id                = local.files
    domain_name              = module.files.regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  origin {
    origin_id   = local.api
    domain_name = var.api_domain_name

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # Server-sent events are quiet for up to 15 s at a time.
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id           = local.files
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching_optimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.pages.arn
    }
  }

  ordered_cache_behavior {
    path_pattern               = "/api/*"
    target_origin_id           = local.api
    viewer_protocol_policy     = "https-only"
    allowed_methods            = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.caching_disabled
    origin_request_policy_id   = local.all_viewer_except_host
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.this.certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }
}

# The site finds its own way: a path without a dot is a page of the application, not a file. An error page would do the same,
# but for the API's errors too.
resource "aws_cloudfront_function" "pages" {
  name    = "${var.name}-pages"
  runtime = "cloudfront-js-2.0"
  comment = "Pages of the application are index.html"
  publish = true
  code    = file("${path.module}/pages.js")
}
