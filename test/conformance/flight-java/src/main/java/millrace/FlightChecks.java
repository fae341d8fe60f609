package millrace;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.arrow.flight.Action;
import org.apache.arrow.flight.AsyncPutListener;
import org.apache.arrow.flight.CancelFlightInfoRequest;
import org.apache.arrow.flight.Criteria;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightDescriptor;
import org.apache.arrow.flight.FlightInfo;
import org.apache.arrow.flight.FlightRuntimeException;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.PollInfo;
import org.apache.arrow.flight.PutResult;
import org.apache.arrow.flight.RenewFlightEndpointRequest;
import org.apache.arrow.flight.Ticket;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.UInt1Vector;
import org.apache.arrow.vector.VectorLoader;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.VectorUnloader;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;

/**
 * What Java's Flight client gets from the preprocessing service.
 *
 * <p>Arguments: host:port of preprocessing, a dataset version to copy, the dataset to copy it to, a pipeline of MNIST, a file to
 * import. Prints one JSON object: what each check found, or what it raised.
 */
public final class FlightChecks {
  private static final ObjectMapper JSON = new ObjectMapper();
  private final FlightClient client;
  private final BufferAllocator allocator;
  private final Map<String, Object> report = new LinkedHashMap<>();

  private FlightChecks(FlightClient client, BufferAllocator allocator) {
    this.client = client;
    this.allocator = allocator;
  }

  public static void main(String[] args) throws Exception {
    String[] address = args[0].split(":");
    Location location = Location.forGrpcInsecure(address[0], Integer.parseInt(address[1]));
    try (BufferAllocator allocator = new RootAllocator();
        FlightClient client = FlightClient.builder(allocator, location).build()) {
      FlightChecks checks = new FlightChecks(client, allocator);
      String source = args[1];
      checks.run("handshake", checks::handshake);
      checks.run("criteria", () -> checks.names("datasets/mnist"));
      checks.run("part", checks::part);
      checks.run("copy", () -> checks.copy(source, args[2]));
      checks.run("schema", () -> checks.sameSchema(source));
      checks.run("exchange", () -> checks.exchange(args[3]));
      checks.run("poll", () -> checks.poll(args[4]));
      checks.run("renew", () -> checks.renew(source));
      checks.run("cancel", () -> checks.cancel(source));
      checks.run("drop", () -> checks.drop("datasets/java-import"));
      checks.run("actions", checks::actions);
      checks.run("unknown", checks::unknown);
      System.out.println(JSON.writeValueAsString(checks.report));
    }
  }

  private void run(String name, Callable<Object> check) {
    Map<String, Object> result = new LinkedHashMap<>();
    try {
      result.put("value", check.call());
    } catch (Exception error) {
      result.put("raised", error.toString());
    }
    report.put(name, result);
  }

  private static FlightDescriptor byPath(String name) {
    return FlightDescriptor.path(name.split("/"));
  }

  private static FlightDescriptor byCommand(Object command) throws Exception {
    return FlightDescriptor.command(JSON.writeValueAsBytes(command));
  }

  private static Ticket ticket(String name) {
    return new Ticket(name.getBytes());
  }

  private Object handshake() {
    client.authenticateBasic("somebody", "secret");
    return client.authenticateBasicToken("somebody", "secret").isPresent();
  }

  private List<String> names(String criteria) {
    List<String> names = new ArrayList<>();
    for (FlightInfo info : client.listFlights(new Criteria(criteria.getBytes()))) {
      names.add(String.join("/", info.getDescriptor().getPath()));
    }
    return names;
  }

  /** Reads some rows of one column. */
  private Object part() throws Exception {
    Map<String, Object> command = Map.of("name", "datasets/mnist", "columns", List.of("label"), "offset", 9_990, "limit", 20);
    FlightInfo info = client.getInfo(byCommand(command));
    List<Integer> labels = new ArrayList<>();
    List<String> columns = new ArrayList<>();
    try (FlightStream stream = client.getStream(info.getEndpoints().get(0).getTicket())) {
      stream.getSchema().getFields().forEach(field -> columns.add(field.getName()));
      while (stream.next()) {
        UInt1Vector vector = (UInt1Vector) stream.getRoot().getVector(0);
        for (int row = 0; row < vector.getValueCount(); row++) {
          labels.add(vector.get(row) & 0xff);
        }
      }
    }
    return Map.of("rows", info.getRecords(), "columns", columns, "labels", labels);
  }

  /** What the server tells of a put. */
  private static final class Told extends AsyncPutListener {
    final List<JsonNode> results = new ArrayList<>();

    @Override
    public void onNext(PutResult result) {
      ArrowBuf metadata = result.getApplicationMetadata();
      byte[] bytes = new byte[(int) metadata.readableBytes()];
      metadata.getBytes(0, bytes);
      try {
        results.add(JSON.readTree(bytes));
      } catch (java.io.IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }
  }

  /** Reads a dataset version and puts it as another dataset, acknowledged batch by batch. */
  private Object copy(String source, String target) throws Exception {
    Told told = new Told();
    int batches = 0;
    try (FlightStream stream = client.getStream(ticket(source))) {
      FlightClient.ClientStreamListener writer = null;
      while (stream.next()) {
        if (writer == null) {
          // Its dictionaries are known with the first batch.
          writer = client.startPut(byPath(target), stream.getRoot(), stream.getDictionaryProvider(), told);
        }
        writer.putNext();
        batches++;
      }
      writer.completed();
      writer.getResult();
    }
    JsonNode version = told.results.get(told.results.size() - 1);
    boolean all = told.results.size() == batches + 1;
    return Map.of("name", version.get("name").asText(), "digest", version.get("digest").asText(), "all", all);
  }

  private Object sameSchema(String source) {
    return client.getSchema(byPath(source)).getSchema().equals(client.getInfo(byPath(source)).getSchema());
  }

  /** Sends images and gets the bytes that the network would be fed with. */
  private Object exchange(String pipeline) throws Exception {
    String command = JSON.writeValueAsString(Map.of("name", "datasets/mnist", "columns", List.of("image"), "limit", 2_000));
    MessageDigest sent = MessageDigest.getInstance("SHA-256");
    MessageDigest received = MessageDigest.getInstance("SHA-256");
    long rows = 0;
    int attached = 0;
    String last = "";
    try (FlightStream images = client.getStream(ticket(command));
        VectorSchemaRoot root = VectorSchemaRoot.create(images.getSchema(), allocator);
        FlightClient.ExchangeReaderWriter exchange = client.doExchange(byPath(pipeline))) {
      exchange.getWriter().start(root);
      VectorLoader loader = new VectorLoader(root);
      while (images.next()) {
        try (ArrowRecordBatch batch = new VectorUnloader(images.getRoot()).getRecordBatch()) {
          loader.load(batch);
        }
        update(sent, root.getVector(0));
        byte[] metadata = Integer.toString(++attached).getBytes();
        ArrowBuf buffer = allocator.buffer(metadata.length);
        buffer.writeBytes(metadata);
        exchange.getWriter().putNext(buffer);
      }
      exchange.getWriter().completed();
      FlightStream tensors = exchange.getReader();
      while (tensors.next()) {
        rows += tensors.getRoot().getRowCount();
        update(received, tensors.getRoot().getVector(0));
        ArrowBuf metadata = tensors.getLatestMetadata();
        byte[] bytes = new byte[metadata == null ? 0 : (int) metadata.readableBytes()];
        if (metadata != null) {
          metadata.getBytes(metadata.readerIndex(), bytes);
        }
        last = new String(bytes);
      }
    }
    boolean same = Arrays.equals(sent.digest(), received.digest());
    return Map.of("rows", rows, "same", same, "metadata", last.equals(Integer.toString(attached)));
  }

  private static void update(MessageDigest digest, FieldVector lists) {
    FixedSizeListVector column = (FixedSizeListVector) lists;
    byte[] bytes = new byte[column.getValueCount() * column.getListSize()];
    column.getDataVector().getDataBuffer().getBytes(0, bytes);
    digest.update(bytes);
  }

  /** Begins an import and follows it to its end. */
  private Object poll(String file) throws Exception {
    Map<String, Object> request = Map.of("dataset", "datasets/java-import", "paths", List.of(file));
    PollInfo answer = client.pollInfo(byCommand(Map.of("import", request)));
    while (answer.getFlightDescriptor().isPresent()) {
      answer = client.pollInfo(answer.getFlightDescriptor().get());
    }
    return answer.getFlightInfo().getRecords();
  }

  private Object renew(String source) {
    var endpoint = client.getInfo(byPath(source)).getEndpoints().get(0);
    var renewed = client.renewFlightEndpoint(new RenewFlightEndpointRequest(endpoint));
    return !renewed.getExpirationTime().get().isBefore(endpoint.getExpirationTime().get());
  }

  private Object cancel(String source) {
    FlightInfo info = client.getInfo(byPath(source));
    return client.cancelFlightInfo(new CancelFlightInfoRequest(info)).getStatus().toString();
  }

  private Object drop(String dataset) {
    client.doAction(new Action("DropDataset", dataset.getBytes())).forEachRemaining(result -> {});
    return names(dataset);
  }

  private Object actions() {
    List<String> types = new ArrayList<>();
    client.listActions().forEach(action -> types.add(action.getType()));
    return types;
  }

  private Object unknown() {
    try {
      return client.getInfo(byPath("datasets/none"));
    } catch (FlightRuntimeException error) {
      return error.status().code().toString();
    }
  }
}
