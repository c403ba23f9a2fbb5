#!/usr/bin/env python3
"""Writes the Envoy API's descriptors, taken from PyPI's `xds-protos`, as protobuf descriptor sets, and C++ from them.

  envoy_api.py --package-dir DIR --out DIR [--protoc protoc]

DIR/package-dir is where pip unpacked `xds-protos`. The package has no descriptor files: each of its modules carries
its file's descriptor as a byte literal, which is read here without running the module. Written to --out:

  envoy_api.pb     the files that our code is compiled against (ROOTS and all they import)
  envoy_all.pb     every file of the package, for checks of configuration that users write themselves
  gen/**.pb.{h,cc} C++ of envoy_api.pb
"""
import argparse
import ast
import pathlib
import subprocess
import sys

ROOTS = [
    "envoy/config/bootstrap/v3/bootstrap.proto",
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/config/trace/v3/datadog.proto",
    "envoy/config/trace/v3/opentelemetry.proto",
    "envoy/config/trace/v3/zipkin.proto",
    "envoy/extensions/access_loggers/file/v3/file.proto",
    "envoy/extensions/access_loggers/grpc/v3/als.proto",
    "envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto",
    "envoy/extensions/clusters/aggregate/v3/cluster.proto",
    "envoy/extensions/filters/http/fault/v3/fault.proto",
    "envoy/extensions/filters/http/grpc_stats/v3/config.proto",
    "envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto",
    "envoy/extensions/filters/http/lua/v3/lua.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/listener/original_dst/v3/original_dst.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/filters/network/direct_response/v3/config.proto",
    "envoy/extensions/filters/network/rbac/v3/rbac.proto",
    "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.proto",
    "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.proto",
    "envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto",
    "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto",
    "envoy/extensions/filters/udp/dns_filter/v3/dns_filter.proto",
    "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.proto",
    "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.proto",
    "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/transport_sockets/tls/v3/secret.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "envoy/service/discovery/v3/ads.proto",
    "envoy/service/discovery/v3/discovery.proto",
    "envoy/service/health/v3/hds.proto",
    "envoy/service/runtime/v3/rtds.proto",
    "envoy/service/accesslog/v3/als.proto",
]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def name_and_imports(descriptor):
    """Field 1 (name) and 3 (dependency) of a FileDescriptorProto; the other fields are skipped by their wire type."""
    name, imports, at = None, [], 0
    while at < len(descriptor):
        key, at = varint(descriptor, at)
        if key & 7 == 0:
            _, at = varint(descriptor, at)
        elif key & 7 == 2:
            size, at = varint(descriptor, at)
            if key >> 3 == 1:
                name = descriptor[at:at + size].decode()
            elif key >> 3 == 3:
                imports.append(descriptor[at:at + size].decode())
            at += size
        else:
            raise ValueError(f"unexpected wire type {key & 7} in a file descriptor")
    return name, imports


def descriptors_of(package_dir):
    found = {}
    for path in sorted(package_dir.rglob("*_pb2.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "AddSerializedFile" and node.args
                    and isinstance(node.args[0], ast.Constant)):
                data = node.args[0].value
                name, imports = name_and_imports(data)
                found[name] = (data, imports)
    return found


def closure(files, roots, builtin):
    order, seen = [], set()

    def visit(name, wanted_by):
        if name in seen or name in builtin:
            return
        if name not in files:
            sys.exit(f"envoy_api.py: {name}, imported by {wanted_by}, is not in the package; is its version right?")
        seen.add(name)
        for imported in files[name][1]:
            visit(imported, name)
        order.append(name)

    for root in roots:
        visit(root, "the list of roots")
    return order


def write_set(path, files, names):
    out = bytearray()
    for name in names:
        data = files[name][0]
        out.append(0x0A)  # FileDescriptorSet.file
        size = len(data)
        while size >= 0x80:
            out.append(size & 0x7F | 0x80)
            size >>= 7
        out.append(size)
        out += data
    path.write_bytes(bytes(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package-dir", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--protoc", default="protoc")
    args = parser.parse_args()

    files = descriptors_of(args.package_dir)
    bundled = {name for name in files if name.startswith("google/protobuf/")}
    for name in bundled:  # the compiler's own copies are used
        del files[name]
    builtin = bundled | {f"google/protobuf/{name}.proto" for name in (
        "any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp",
        "type", "wrappers")}
    wanted = closure(files, ROOTS, builtin)
    gen = args.out / "gen"
    gen.mkdir(parents=True, exist_ok=True)
    everything = closure(files, sorted(files), builtin)
    write_set(args.out / "envoy_all.pb", files, everything)
    write_set(args.out / "envoy_api.pb", files, wanted)

    # protoc reads imports from the set; google/protobuf/* it finds as sources of its own installation.
    well_known = args.out / "well_known.pb"
    subprocess.run([args.protoc, f"--descriptor_set_out={well_known}", "--include_imports",
                    *sorted(name for name in builtin
                            if name.split("/")[-1][:-6] in ("any", "api", "descriptor", "duration", "empty",
                                                            "field_mask", "source_context", "struct", "timestamp",
                                                            "type", "wrappers"))], check=True)
    subprocess.run([args.protoc, f"--descriptor_set_in={well_known}:{args.out / 'envoy_api.pb'}",
                    f"--cpp_out={gen}", *wanted], check=True)
    (args.out / "files.txt").write_text("".join(f"{name[:-6]}.pb.cc\n" for name in wanted))
    print(f"envoy_api.py: {len(wanted)} of {len(everything)} files as C++ in {gen}")


if __name__ == "__main__":
    main()
