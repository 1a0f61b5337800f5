package assistant.elastic;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.PreConfiguredTokenFilter;
import org.elasticsearch.index.analysis.PreConfiguredTokenizer;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

/**
 * What a client meets of three modules that the distribution on Maven Central lacks.
 *
 * <p>rest-root: GET / with the version, which Filebeat and Logstash ask first. x-pack-ilm: that an index
 * may name its lifecycle policy; the policy itself does nothing here. analysis-common: how security's own
 * index takes e-mail addresses apart, without which there are no users, roles and keys.
 */
public final class StandIns extends Plugin implements ActionPlugin, AnalysisPlugin {
    @Override
    public List<Setting<?>> getSettings() {
        return List.of(
                Setting.simpleString(
                        "index.lifecycle.name", Setting.Property.Dynamic, Setting.Property.IndexScope));
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
            Settings settings,
            NamedWriteableRegistry writeables,
            RestController controller,
            ClusterSettings clusterSettings,
            IndexScopedSettings indexSettings,
            SettingsFilter filter,
            IndexNameExpressionResolver resolver,
            Supplier<DiscoveryNodes> nodes,
            Predicate<NodeFeature> features) {
        return List.of(new Root());
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("pattern_capture", (index, environment, name, settings) -> new Capture(name, settings));
    }

    @Override
    public List<PreConfiguredTokenFilter> getPreConfiguredTokenFilters() {
        return List.of(
                PreConfiguredTokenFilter.singleton("unique", false, RemoveDuplicatesTokenFilter::new));
    }

    @Override
    public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
        return List.of(PreConfiguredTokenizer.singleton("uax_url_email", UAX29URLEmailTokenizer::new));
    }

    private static final class Capture extends AbstractTokenFilterFactory {
        private final Pattern[] patterns;
        private final boolean original;

        private Capture(String name, Settings settings) {
            super(name, settings);
            patterns =
                    settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
            original = settings.getAsBoolean("preserve_original", true);
        }

        @Override
        public TokenStream create(TokenStream stream) {
            return new PatternCaptureGroupTokenFilter(stream, original, patterns);
        }
    }

    private static final class Root extends BaseRestHandler {
        @Override
        public String getName() {
            return "root_stand_in";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            // Build tools and scripts ask for the answer in this form.
            request.paramAsBoolean("pretty", false);
            Build build = Build.current();
            Map<String, Object> version = new LinkedHashMap<>();
            version.put("number", build.qualifiedVersion());
            version.put("build_flavor", build.flavor());
            version.put("build_type", build.type().displayName());
            version.put("build_hash", build.hash());
            version.put("build_snapshot", build.isSnapshot());
            version.put("minimum_wire_compatibility_version", build.minWireCompatVersion());
            version.put("minimum_index_compatibility_version", build.minIndexCompatVersion());
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("name", client.getLocalNodeId());
            answer.put("cluster_name", "assistant-tests");
            answer.put("version", version);
            answer.put("tagline", "You Know, for Search");
            return channel ->
                    channel.sendResponse(new RestResponse(RestStatus.OK, channel.newBuilder().map(answer)));
        }
    }
}
