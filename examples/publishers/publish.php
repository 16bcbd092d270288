<?php
// All attempts have the same key, so the hub publishes the event once.
$headers = ['Authorization: Bearer ' . getenv('TOKEN'), 'Idempotency-Key: ' . bin2hex(random_bytes(16))];
$http = ['method' => 'POST', 'header' => [...$headers, 'Content-Type: text/plain'], 'content' => 'foo=bar'];
$context = stream_context_create(['http' => [...$http, 'ignore_errors' => true, 'timeout' => 10]]);
$url = getenv('HUB') . '/channels/foo/broadcast';

for ($attempt = 0; ; $attempt++) {
    $http_response_header = [];
    $body = @file_get_contents($url, false, $context);
    $status = $body === false ? 503 : (int) explode(' ', $http_response_header[0] ?? 'HTTP/1.1 503')[1];
    if ($status === 200) {
        echo $body;
        break;
    }
    if ($attempt === 5 || ($status !== 429 && $status < 500)) {
        fwrite(STDERR, $body === false ? "The hub cannot be reached.\n" : $body);
        exit(1);
    }
    sleep(2 ** $attempt);
}
