# Everything here is wrong, and the stub provider must notice: each line says with which words. A provider that let one of them
# pass would prove nothing about the real modules.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "aws_s3_bucket" "misspelt" {
  buket = "records" # refused: Unsupported argument
}

resource "aws_ecs_service" "missing" { # refused: Missing required argument
  cluster = "task-tracker"
}

resource "aws_ecs_service" "wrong_type" {
  name          = "task-tracker"
  desired_count = "many" # refused: Incorrect attribute value type
}

resource "aws_ecs_servise" "unknown" { # refused: Invalid resource type
  name = "task-tracker"
}

resource "aws_ecs_service" "ignores_nothing" {
  name = "task-tracker"

  lifecycle {
    ignore_changes = [task_definitions] # refused: Unsupported attribute
  }
}

resource "aws_ecs_service" "misspelt_inside" {
  name = "task-tracker"

  load_balancer {
    container_name = "app"
    container_port = 3000

    advanced_configuration {
      alternate_target_group_arn = "green"
      production_listener_rule   = "production"
      role_arn                   = "shift"
      test_listener              = "test" # refused: Unsupported argument
    }
  }
}

resource "aws_db_instance" "two_where_one_may_be" {
  instance_class = "db.t4g.medium"

  restore_to_point_in_time {
    use_latest_restorable_time = true
  }

  restore_to_point_in_time { # refused: Too many restore_to_point_in_time blocks
    use_latest_restorable_time = true
  }
}

resource "aws_lb" "sets_what_aws_decides" { # refused: Invalid Configuration for Read-Only Attribute
  name     = "task-tracker"
  dns_name = "task-tracker.example.com"
}
