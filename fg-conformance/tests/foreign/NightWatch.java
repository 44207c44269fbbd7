// An extension for Java 11 and later, written with its standard library only.
//
// FG_EXTENSION_PORT changes its port. FAULT selects one fault, for example "hook-hangs".

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class NightWatch {
    static final String NAME = "extensionNightWatch.sh";
    static final String FAULT = System.getenv().getOrDefault("FAULT", "");
    // The standard library has no JSON parser. This accepts flat objects with other fields, which is enough for events.
    static final Pattern OBJECT = Pattern.compile("\\s*\\{.*\\}\\s*", Pattern.DOTALL);
    static final Pattern TRACE_ID = Pattern.compile("\"traceId\"\\s*:\\s*\"([^\"\\\\]*)\"");
    static final Pattern URN = Pattern.compile("\"invokedFunctionUrn\"\\s*:\\s*\"([^\"\\\\]*)\"");

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(System.getenv().getOrDefault("FG_EXTENSION_PORT", "8081"));
        var address = FAULT.equals("all-interfaces")
                ? new InetSocketAddress(port)
                : new InetSocketAddress("127.0.0.1", port);
        var server = HttpServer.create(address, 128);
        var threads = Executors.newFixedThreadPool(8);
        server.setExecutor(threads);
        server.createContext("/extension/invoke", NightWatch::invoke);
        server.start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            if (FAULT.equals("hook-hangs")) waitForever();
            // Waits up to a second for events in flight.
            server.stop(1);
            // An exit after SIGTERM has status 143, unless a hook ends the JVM with another one.
            if (!FAULT.equals("exits-143")) Runtime.getRuntime().halt(0);
        }));
        register(port);
    }

    static void invoke(HttpExchange exchange) throws IOException {
        try (exchange) {
            String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            Matcher traceId = TRACE_ID.matcher(body);
            Matcher urn = URN.matcher(body);
            boolean valid = OBJECT.matcher(body).matches() && traceId.find() && urn.find();
            if (valid && FAULT.equals("keeps-thread")) {
                Thread thread = new Thread(NightWatch::waitForever);
                thread.setDaemon(true);
                thread.start();
            }
            String text = valid
                    ? "{\"traceId\": \"" + traceId.group(1) + "\", \"invokedFunctionUrn\": \"" + urn.group(1) + "\"}"
                    : "{\"error\": \"not a valid event\"}";
            byte[] response = text.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(valid ? 200 : 400, response.length);
            exchange.getResponseBody().write(response);
        }
    }

    static void register(int port) throws InterruptedException {
        var client = HttpClient.newHttpClient();
        var request = HttpRequest.newBuilder(
                        URI.create("http://" + System.getenv("EXTENSION_API_ADDR") + "/extension/register"))
                .header("FunctionGraph-Extension-Name", NAME)
                .header("FunctionGraph-Extension-Address", "127.0.0.1:" + port)
                .POST(HttpRequest.BodyPublishers.noBody())
                .build();
        Object problem = null;
        long pause = 50;
        for (int attempt = 0; attempt < 8; attempt++) {
            try {
                var response = client.send(request, HttpResponse.BodyHandlers.ofString());
                if (response.statusCode() == 200) return;
                problem = response.statusCode() + " " + response.body();
                if (response.statusCode() < 500) break;
            } catch (IOException error) {
                problem = error;
            }
            Thread.sleep(pause);
            pause *= 2;
        }
        System.err.println(NAME + ": cannot register: " + problem);
        Runtime.getRuntime().halt(1);
    }

    static void waitForever() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }
}
