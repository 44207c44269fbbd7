// Reads secrets from the cache, for a FunctionGraph function.

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;

public class Secrets {
    private static final String ADDRESS = setting("FG_SECRETS_ADDRESS", "127.0.0.1:2773");
    private static final String TOKEN_FILE = setting("FG_SECRETS_TOKEN_FILE", "/tmp/fg-secrets-cache.token");
    // Without a proxy, which would see the token.
    private static final HttpClient CLIENT = HttpClient.newBuilder().proxy(HttpClient.Builder.NO_PROXY).build();

    private static String setting(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    private static String token() throws IOException {
        String token = System.getenv("FG_SECRETS_TOKEN");
        return token != null ? token : Files.readString(Path.of(TOKEN_FILE));
    }

    /** Returns the value of a secret. The cache has it in memory, so ask for it whenever you need it. */
    public static String get(String name) throws IOException, InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                var uri = URI.create("http://" + ADDRESS + "/secrets/" + name);
                var request = HttpRequest.newBuilder(uri).header("X-Secrets-Token", token()).build();
                var response = CLIENT.send(request, BodyHandlers.ofString());
                if (response.statusCode() == 200) {
                    return response.body();
                }
                throw new IllegalStateException("cannot read the secret " + name + ": " + response.body());
            } catch (IOException error) {
                // The function may start before the extension is ready.
                if (attempt >= 100) {
                    throw error;
                }
                Thread.sleep(50);
            }
        }
    }

    public static void main(String[] names) throws Exception {
        System.out.println("the password has " + get(names[0]).length() + " characters");
    }
}
