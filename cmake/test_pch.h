// Precompiled for the tests of the folders that build Envoy configuration: halves their compile time.
#pragma once

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "envoy_pch.h"
