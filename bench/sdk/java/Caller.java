import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;

/**
 * Sends requests with java.net.http.HttpClient as it is by default, which offers h2c.
 * A line of the standard input is a URL, a tab and a body. The line printed for it is
 * status, version of HTTP and body, the last in base64.
 */
public class Caller {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newHttpClient();
        var base64 = Base64.getEncoder();
        var lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = lines.readLine()) != null; ) {
            var part = line.split("\t", 2);
            var request = HttpRequest.newBuilder(URI.create(part[0]))
                    .header("Content-Type", "application/json")
                    .header("Authorization", "Bearer sk-of-nobody")
                    .POST(HttpRequest.BodyPublishers.ofString(part[1]))
                    .build();
            var answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
            System.out.printf("%d %s %s%n", answer.statusCode(), answer.version(), base64.encodeToString(answer.body()));
        }
    }
}
