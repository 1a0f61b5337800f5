import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;

/**
 * Runs an Elasticsearch node with modules that lie on the class path, until its standard input ends.
 *
 * <p>The distribution loads modules from folders with descriptors, which Maven artifacts do not have.
 * Arguments: the folder with config/elasticsearch.yml, then the modules' plugin classes.
 */
public final class PipelineNode extends Node {
    private PipelineNode(Path home, Collection<Class<? extends Plugin>> modules) {
        super(
                InternalSettingsPreparer.prepareEnvironment(
                        Settings.builder().put("path.home", home).build(), Map.of(), null, () -> "node"),
                modules,
                false);
    }

    public static void main(String[] arguments) throws Exception {
        Collection<Class<? extends Plugin>> modules = new java.util.ArrayList<>();
        for (String name : List.of(arguments).subList(1, arguments.length)) {
            modules.add(Class.forName(name).asSubclass(Plugin.class));
        }
        try (Node node = new PipelineNode(Path.of(arguments[0]), modules).start()) {
            while (System.in.read() >= 0) {
                continue;
            }
        }
    }
}
