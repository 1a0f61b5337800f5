import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.elasticsearch.action.ActionRequestValidationException;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.NamedXContentRegistry.Entry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xcontent.XContentParserConfiguration;
import org.elasticsearch.xcontent.XContentType;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.Phase;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.SetPriorityAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/**
 * Judges a file for PUT /_ilm/policy/NAME with the classes that Elasticsearch judges it with, without a node:
 * the module that answers that address is not on Maven Central.
 *
 * <p>Argument: the file. Prints each phase with its age and actions; ends with a stack trace for a wrong one.
 */
public final class PolicyCheck {
    private PolicyCheck() {}

    private static final class Named implements PutLifecycleRequest.Factory {
        @Override
        public PutLifecycleRequest create(LifecyclePolicy policy) {
            return new PutLifecycleRequest(TimeValue.ZERO, TimeValue.ZERO, policy);
        }

        @Override
        public String getPolicyName() {
            return "ai-assistant-logs";
        }
    }

    public static void main(String[] arguments) throws Exception {
        NamedXContentRegistry names =
                new NamedXContentRegistry(
                        List.of(
                                new Entry(
                                        LifecycleType.class,
                                        new ParseField(TimeseriesLifecycleType.TYPE),
                                        parser -> TimeseriesLifecycleType.INSTANCE),
                                new Entry(
                                        LifecycleAction.class,
                                        new ParseField(RolloverAction.NAME),
                                        RolloverAction::parse),
                                new Entry(
                                        LifecycleAction.class,
                                        new ParseField(SetPriorityAction.NAME),
                                        SetPriorityAction::parse),
                                new Entry(
                                        LifecycleAction.class,
                                        new ParseField(DeleteAction.NAME),
                                        DeleteAction::parse)));
        String text = Files.readString(Path.of(arguments[0]));
        try (XContentParser parser =
                XContentType.JSON
                        .xContent()
                        .createParser(XContentParserConfiguration.EMPTY.withRegistry(names), text)) {
            PutLifecycleRequest request = PutLifecycleRequest.parseRequest(new Named(), parser);
            ActionRequestValidationException wrong = request.validate();
            if (wrong != null) {
                throw wrong;
            }
            LifecyclePolicy policy = request.getPolicy();
            for (Phase phase : policy.getPhases().values()) {
                System.out.println(
                        phase.getName() + " " + phase.getMinimumAge() + " " + phase.getActions().keySet());
            }
        }
    }
}
