output "bucket" {
  description = "The bucket's name."
  value       = module.files.name
}

output "statements" {
  description = "What the service must be allowed: its signed URLs can do what it may do itself, and no more."
  value = [
    {
      Sid      = "Attachments"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = "${module.files.arn}/attachments/*"
    },
    {
      # Without it an object that is not there is 403 instead of 404 (Amazon S3 API Reference, "HeadObject").
      Sid      = "WhatIsNotThere"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = module.files.arn
    },
    {
      Sid      = "AttachmentsKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = module.key.arn
    },
  ]
}
