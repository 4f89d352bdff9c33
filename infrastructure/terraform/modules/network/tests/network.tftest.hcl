mock_provider "aws" {}

variables {
  name                 = "task-tracker"
  cidr_block           = "10.30.0.0/16"
  reserved_cidr_blocks = { staging = "10.20.0.0/16", office = "10.10.0.0/16" }
  availability_zones   = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

run "nine_subnets_that_do_not_overlap" {
  command = plan

  assert {
    condition = length(distinct(concat(
      [for subnet in aws_subnet.public : subnet.cidr_block],
      [for subnet in aws_subnet.private : subnet.cidr_block],
      [for subnet in aws_subnet.database : subnet.cidr_block],
    ))) == 9
    error_message = "Each zone has a public, a private and a database subnet of its own."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && aws_subnet.public["eu-central-1a"].cidr_block == "10.30.0.0/20"
    error_message = "Each zone has its own way out."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Flow logs see what was refused as well."
  }
}

run "one_gateway_serves_all_zones" {
  command = plan

  variables {
    nat_gateways = "one"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "Three zones go out through one gateway."
  }
}

run "the_same_block_as_another_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block = "10.20.0.0/16"
  }
}

run "a_block_inside_another_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block = "10.20.64.0/20"
  }
}

run "a_block_around_another_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block           = "10.30.0.0/16"
    reserved_cidr_blocks = { laboratory = "10.30.200.0/24" }
  }
}

run "a_public_block_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block = "8.8.0.0/16"
  }
}

run "a_block_that_is_too_small_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block = "10.40.0.0/24"
  }
}

run "two_zones_are_too_few" {
  command         = plan
  expect_failures = [var.availability_zones]

  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b"]
  }
}

run "an_address_inside_its_block_is_refused" {
  command         = plan
  expect_failures = [var.cidr_block]

  variables {
    cidr_block = "10.40.1.0/16"
  }
}

run "a_reserved_block_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.reserved_cidr_blocks]

  variables {
    reserved_cidr_blocks = { office = "upstairs" }
  }
}

run "another_number_of_gateways_is_refused" {
  command         = plan
  expect_failures = [var.nat_gateways]

  variables {
    nat_gateways = "two"
  }
}
