data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # Without this statement nobody, root included, could ever change the key again
  # (AWS KMS Developer Guide, "Default key policy").
  account = {
    Sid       = "Account"
    Effect    = "Allow"
    Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
    Action    = "kms:*"
    Resource  = "*"
  }

  services = [for service in var.services : {
    Sid       = "Service${replace(title(replace(service, "/[.-]/", " ")), " ", "")}"
    Effect    = "Allow"
    Principal = { Service = service }
    Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    Resource  = "*"
  }]
}

resource "aws_kms_key" "this" {
  region                  = var.region
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.account], local.services)
  })
}

resource "aws_kms_alias" "this" {
  region        = var.region
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
