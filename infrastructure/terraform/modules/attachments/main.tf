# Files of tasks. Browsers and other clients put and get them by signed URLs that the service hands out; nobody else may do
# anything. The service deletes what no task names any more; a deleted object can be brought back for some days.
module "files" {
  source = "../bucket"

  name              = var.bucket
  key               = module.key
  noncurrent_days   = var.recoverable_days
  access_log_bucket = var.access_log_bucket
}

module "key" {
  source = "../key"

  name        = "${var.bucket}-attachments"
  description = "Attachments in ${var.bucket}"
}

# The page is at another address than the bucket (Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)").
resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = module.files.name

  cors_rule {
    allowed_origins = var.origins
    allowed_methods = ["GET", "PUT"]
    allowed_headers = ["content-type", "if-none-match"]
    max_age_seconds = 3600
  }
}
