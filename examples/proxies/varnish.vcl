# Varnish in front of the hub: /etc/varnish/hub.vcl
#
# Varnish has no TLS. hitch.conf terminates TLS in front of it. README.md has the commands that start both, and that log
# without queries.

vcl 4.1;

import std;

backend hub {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 2s;
    # More than HEARTBEAT_SECONDS.
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
    # The limit for all connections to the hub together.
    .max_connections = 30000;
    .probe = {
        # workerd refuses a request without a Host.
        .request =
            "GET /healthz HTTP/1.1"
            "Host: hub.example.com"
            "Connection: close";
        .interval = 1s;
        .timeout = 2s;
        .window = 3;
        .threshold = 2;
        .initial = 2;
    }
}

sub vcl_recv {
    if (req.method !~ "^(GET|HEAD|POST|DELETE|OPTIONS)$") {
        return (synth(405));
    }
    # Varnish ends a response after send_timeout, by default 10 minutes. Streams last as long as their clients want.
    set sess.send_timeout = 365d;
    # The value of MAX_BATCH_BYTES. The hub itself refuses a larger body whose length is not declared.
    if (std.integer(req.http.Content-Length, 0) > 1048576) {
        return (synth(413));
    }
    # Cache nothing, and pass each event on at once.
    return (pass);
}

sub vcl_backend_response {
    set beresp.do_stream = true;
    set beresp.do_gzip = false;
}

# A browser's EventSource gives up after any status except 200. When Varnish cannot reach the hub, it answers a request
# for a stream with a stream that ends at once, so that the browser tries again. All other requests get the error.
# Answers of the hub are passed on as they are.
sub vcl_backend_error {
    # Which pages may read Varnish's own answers: pages of all origins, as with ALLOWED_ORIGINS=*. If ALLOWED_ORIGINS is a
    # list, replace this line by the lines below, with your origins.
    set beresp.http.Access-Control-Allow-Origin = "*";
    # if (bereq.http.Origin ~ "^(https://app\.example\.com|https://www\.example\.com)$") {
    #     set beresp.http.Access-Control-Allow-Origin = bereq.http.Origin;
    #     set beresp.http.Access-Control-Allow-Credentials = "true";
    # }
    set beresp.http.Vary = "Origin";
    set beresp.http.Cache-Control = "no-store";
    if (bereq.method == "GET" && bereq.http.Accept ~ "(?i)text/event-stream") {
        set beresp.status = 200;
        set beresp.http.Content-Type = "text/event-stream; charset=utf-8";
        set beresp.body = """retry: 3000
event: hub.error
data: {"type":"about:blank","title":"Bad Gateway","status":502,"detail":"The proxy cannot reach the hub at the moment."}

""";
        return (deliver);
    }
}
