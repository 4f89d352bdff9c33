# One environment, whole: what staging/ and production/ have in common is everything but the values.

data "aws_availability_zones" "this" {
  state = "available"

  # No local zones or wavelength zones: RDS and Fargate are not in all of them.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  api_domain_name = "api.${var.domain_name}"

  # What ECS puts into the container's environment: variable → name of the secret. The same as `secrets` in the environment's YAML.
  # The service reads the same secrets itself, and again when they change (decision 0030).
  container_secrets = {
    DATABASE_URL = "${var.name}/database-url"
    WEBHOOK_KEYS = "${var.name}/webhook-keys"
  }
  registry_secret = "gitlab/registry"

  # What the program may do about its own secrets: read these, and nothing else.
  own_secrets = [
    {
      Sid      = "OwnSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [for name in values(local.container_secrets) : module.secrets.arns[name]]
    },
    {
      Sid       = "OwnSecretsKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [module.secrets.key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.current.region}.amazonaws.com" } }
    },
  ]
}

module "network" {
  source = "../network"

  name                 = var.name
  cidr_block           = var.cidr_block
  reserved_cidr_blocks = var.reserved_cidr_blocks
  availability_zones   = slice(data.aws_availability_zones.this.names, 0, 3)
  nat_gateways         = var.nat_gateways
}

module "load_balancer" {
  source = "../load_balancer"

  name                    = var.name
  vpc_id                  = module.network.vpc_id
  public_subnet_ids       = module.network.public_subnet_ids
  domain_name             = local.api_domain_name
  zone_id                 = var.zone_id
  test_client_cidr_blocks = var.test_client_cidr_blocks
  deletion_protection     = var.deletion_protection
  log_bucket              = "${var.bucket_prefix}-access-logs-${var.environment}"
}

module "web" {
  source = "../web"

  name            = var.name
  domain_name     = var.domain_name
  api_domain_name = module.load_balancer.domain_name
  zone_id         = var.zone_id
  bucket          = "${var.bucket_prefix}-web-${var.environment}"
  log_bucket      = module.load_balancer.log_bucket
}

module "database" {
  source = "../database"

  environment           = var.environment
  identifier            = var.name
  database_name         = replace(var.name, "-", "_")
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.database_subnet_ids
  client_cidr_blocks    = var.database_client_cidr_blocks
  instance_class        = var.database.instance_class
  storage_gib           = var.database.storage_gib
  maximum_storage_gib   = var.database.maximum_storage_gib
  multi_az              = var.database.multi_az
  read_replica          = var.database.read_replica
  backup_retention_days = var.database.backup_retention_days
  backup_region         = var.database.backup_region
  deletion_protection   = var.deletion_protection
}

module "secrets" {
  source = "../secrets"

  name = var.name
  secrets = {
    (local.container_secrets.DATABASE_URL) = {
      description = "How the service connects: postgres://USER:PASSWORD@${module.database.endpoint}/${replace(var.name, "-", "_")}?sslmode=verify-full"
      rotation    = var.database_url_rotation
    }
    (local.container_secrets.WEBHOOK_KEYS) = {
      description = "What seals the secrets of webhooks: 32 random bytes in base64 (openssl rand -base64 32), and earlier ones behind a comma"
    }
    (local.registry_secret) = {
      description = "The deploy token of the image registry: {\"username\": …, \"password\": …}"
    }
  }
}

module "attachments" {
  source = "../attachments"

  bucket            = "${var.bucket_prefix}-attachments-${var.environment}"
  origins           = ["https://${var.domain_name}"]
  access_log_bucket = module.load_balancer.log_bucket
}

module "observability" {
  source = "../observability"

  environment                  = var.environment
  service_name                 = var.name
  cluster_name                 = var.name
  load_balancer_arn_suffix     = module.load_balancer.arn_suffix
  database_identifier          = module.database.identifier
  emails                       = var.alarm_emails
  maximum_p95_seconds          = var.maximum_p95_seconds
  maximum_database_connections = var.database.maximum_connections
}

module "service" {
  source = "../service"

  name         = var.name
  cluster_name = var.name
  first_image  = var.first_image

  cpu           = var.task.cpu
  memory        = var.task.memory
  minimum_tasks = var.task.minimum
  maximum_tasks = var.task.maximum

  environment_variables = {
    PORT                    = "3000"
    LOG_FORMAT              = "json"
    ATTACHMENTS_BUCKET      = module.attachments.bucket
    DATABASE_SECRET_ARN     = module.secrets.arns[local.container_secrets.DATABASE_URL]
    WEBHOOK_KEYS_SECRET_ARN = module.secrets.arns[local.container_secrets.WEBHOOK_KEYS]
    # Left to itself, the service takes a thread for each processor that it sees, and a Fargate task may see more than it is given:
    # threads that hand requests to each other cost a fifth more (docs/decisions/0032).
    TOKIO_WORKER_THREADS = tostring(max(1, floor(var.task.cpu / 1024)))
  }
  task_statements     = concat(module.attachments.statements, local.own_secrets)
  secret_arns         = { for variable, secret in local.container_secrets : variable => module.secrets.arns[secret] }
  registry_secret_arn = module.secrets.arns[local.registry_secret]
  secrets_key_arn     = module.secrets.key_arn

  vpc_id                          = module.network.vpc_id
  private_subnet_ids              = module.network.private_subnet_ids
  production_listener_arn         = module.load_balancer.production_listener_arn
  test_listener_arn               = module.load_balancer.test_listener_arn
  load_balancer_security_group_id = module.load_balancer.security_group_id
  load_balancer_arn_suffix        = module.load_balancer.arn_suffix
  database_security_group_id      = module.database.security_group_id
  deployment_alarm_names          = module.observability.deployment_alarm_names
}

module "state" {
  source = "../state"

  bucket            = "${var.bucket_prefix}-tt-ops-${var.environment}"
  access_log_bucket = module.load_balancer.log_bucket
}

module "ci_access" {
  source = "../ci_access"

  name                = var.name
  subjects            = var.ci_subjects
  region              = data.aws_region.current.region
  account_id          = data.aws_caller_identity.current.account_id
  cluster_name        = module.service.cluster_name
  service_name        = module.service.service_name
  family              = module.service.family
  passed_role_arns    = module.service.passed_role_arns
  log_group_arn       = module.service.log_group_arn
  secret_arns         = values(module.secrets.arns)
  registry_secret_arn = module.secrets.arns[local.registry_secret]
  records_arn         = module.state.arn
  key_arns            = [module.state.key_arn, module.secrets.key_arn]
  backup_key_arns     = compact([module.database.key_arn, module.database.backup_key_arn])
}

module "audit" {
  source = "../audit"

  name              = var.name
  bucket            = "${var.bucket_prefix}-audit-${var.environment}"
  access_log_bucket = module.load_balancer.log_bucket
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
